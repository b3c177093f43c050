// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	unauthorized = apierrors.NewUnauthorized("Unauthorized")
	forbidden    = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "alice-kubeconfig", errors.New("no such right"))
)

// watched returns a world in which alice's credential is older than bob's, and what looks after their CA.
func watched(t *testing.T) (*world, *IssuerWatch) {
	t.Helper()
	w := newWorld(t, identity("alice"), identity("bob"))
	w.ready("alice")
	w.step(time.Minute)
	w.ready("bob")
	w.step(time.Minute)
	w.prover.proofs = 0
	return w, &IssuerWatch{Reconciler: w.Reconciler, Interval: time.Minute}
}

func TestADroppedCAIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		given    func(*world)
		proofs   int
		refusals int
	}{
		"by one proof where nothing is wrong":          {func(*world) {}, 1, 0},
		"where a credential that it issued is refused": {func(w *world) { w.prover.err = unauthorized }, 1, 1},
		"but not where the API server does not answer": {func(w *world) { w.prover.err = errors.New("timeout") }, 1, 0},
		"though the Secret of the oldest may not be read": {func(w *world) {
			w.prover.err = unauthorized
			w.before = failing("live get Secret", 1, forbidden)
		}, 1, 1},
		"though the Secret of the oldest was deleted": {func(w *world) {
			w.prover.err = unauthorized
			if err := w.api.Delete(w.t.Context(), secretOf(w, "alice")); err != nil {
				w.t.Fatal(err)
			}
		}, 1, 1},
		"though the Secret of the oldest was damaged": {func(w *world) {
			w.prover.err = unauthorized
			secret := secretOf(w, "alice")
			secret.Data["tls.key"] = []byte("x")
			if err := w.api.Update(w.t.Context(), secret); err != nil {
				w.t.Fatal(err)
			}
		}, 1, 1},
		"but not by what ends while it is proven": {func(w *world) {
			w.prover.err = unauthorized
			w.step(time.Hour - 90*time.Second)
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, watch := watched(t)
			test.given(w)
			_ = watch.look(t.Context())
			if w.prover.proofs != test.proofs || len(w.issuers.refused) != test.refusals {
				t.Errorf("%d proofs and %d refusals, want %d and %d", w.prover.proofs, len(w.issuers.refused), test.proofs, test.refusals)
			}
		})
	}
}

func secretOf(w *world, name string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: testNamespace, Name: name + "-kubeconfig"}, secret); err != nil {
		w.t.Fatal(err)
	}
	return secret
}

func TestADroppedCAIsReportedAndItsCertificatesAreIssuedAgainOnce(t *testing.T) {
	w, watch := watched(t)
	w.Options.Spread = 10 * time.Minute
	w.prover.err = unauthorized
	if err := watch.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.prover.err = nil
	w.step(10 * time.Minute)
	for _, name := range []string{"alice", "bob"} {
		if again := w.ready(name); again.Status.Certificate.Revision != 2 {
			t.Errorf("%s has revision %d, want 2", name, again.Status.Certificate.Revision)
		}
	}
	if err := watch.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.passes("alice", 3)
	w.expectCalls(createsCSR, 4)
}

func TestTheWatchEndsWithItsContext(t *testing.T) {
	_, watch := watched(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := watch.Start(ctx); err != nil {
		t.Error(err)
	}
}
