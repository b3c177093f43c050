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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/problem"
)

const (
	createsCSR    = "create CertificateSigningRequest"
	approvesCSR   = "update approval of CertificateSigningRequest"
	createsSecret = "create Secret"
	updatesSecret = "update Secret"
	deletesSecret = "delete Secret"
	patchesStatus = "patch status of ClientIdentity"
)

func TestAStatusThatCannotBeWrittenCostsNoOtherCertificate(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(problem.ErrStale))
	w.passes("alice", 12)
	w.expectCalls(createsCSR, 1)
	w.expectCalls(deletesSecret, 0)
	alice := w.ready("alice")
	if alice.Status.Certificate.Revision != 1 {
		t.Errorf("revision %d, want 1", alice.Status.Certificate.Revision)
	}

	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(problem.ErrStale))
	w.step(50 * time.Minute)
	w.passes("alice", 12)
	w.expectCalls(createsCSR, 2)
	if again := w.ready("alice"); again.Status.Certificate.Revision != 2 || len(again.Status.Certificates) != 2 {
		t.Errorf("revision %d, %d certificates, want 2 of each", again.Status.Certificate.Revision, len(again.Status.Certificates))
	}
}

func TestADenialThatCannotBeWrittenIsNotAskedAgain(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.signs = deny
	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(problem.ErrStale))
	alice := w.passes("alice", 12)
	w.expectCalls(createsCSR, 1)
	expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonDenied)
}

func TestAnOperatorThatIsStoppedStillRemembersWhatItPublished(t *testing.T) {
	w := newWorld(t, identity("alice"))
	ctx, stop := context.WithCancel(t.Context())
	if _, err := w.Reconcile(ctx, requestFor("alice")); err != nil {
		t.Fatal(err)
	}
	w.before = func(call string, _ client.Object) error {
		if call == createsSecret {
			stop()
		}
		return nil
	}
	_, _ = w.Reconcile(ctx, requestFor("alice"))
	if alice := w.get("alice"); alice.Status.Certificate == nil || alice.Status.SecretRef == nil {
		t.Errorf("the published certificate is forgotten: %+v", alice.Status)
	}
}

// conflicting is a Secret of somebody else in the place of alice's.
func conflicting() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: "alice-kubeconfig"}}
}

func TestACertificateThatWaitsToBePublishedIsDiscardedWhereItOutlivesTheAccess(t *testing.T) {
	planted := conflicting()
	w := newWorld(t, planted, identity("alice"))
	alice := w.passes("alice", 3)
	expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonSecretConflict)
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = at(30 * time.Minute) })
	if err := w.api.Delete(t.Context(), planted); err != nil {
		t.Fatal(err)
	}
	published := 0
	w.before = func(call string, object client.Object) error {
		if secret, ok := object.(*corev1.Secret); ok && call == createsSecret {
			issued, err := certificate.ParseIssued(secret.Data[v1alpha1.CertificateKey])
			if err != nil || issued.NotAfter().After(start.Add(30*time.Minute)) {
				t.Errorf("published a certificate until %v (%v)", issued, err)
			}
			published++
		}
		return nil
	}
	w.ready("alice")
	if published != 1 {
		t.Errorf("published %d times", published)
	}
}

func TestAConflictOfTheSecretCostsAnotherLookAndNoCertificate(t *testing.T) {
	t.Run("a Secret that somebody changes meanwhile", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		w.ready("alice")
		w.step(45 * time.Minute)
		w.before = failing(updatesSecret, 1, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "x", errors.New("changed")))
		w.passes("alice", 1)
		result, err := w.pass("alice")
		if err != nil || result.RequeueAfter != time.Second {
			t.Errorf("looks again after %s (%v), want %s", result.RequeueAfter, err, time.Second)
		}
		if again := w.ready("alice"); again.Status.Certificate.Revision != 2 {
			t.Errorf("revision %d, want 2", again.Status.Certificate.Revision)
		}
		w.expectCalls(createsCSR, 2)
	})
	t.Run("a Secret of somebody else", func(t *testing.T) {
		planted := conflicting()
		w := newWorld(t, planted, identity("alice"))
		for range 5 {
			w.passes("alice", 2)
			w.step(time.Minute)
		}
		w.expectCalls(createsCSR, 1)
		w.expectCalls(deletesSecret, 0)
		if err := w.api.Delete(t.Context(), planted); err != nil {
			t.Fatal(err)
		}
		w.ready("alice")
		w.expectCalls(createsCSR, 1)
	})
	t.Run("a Secret whose creation was answered by nobody", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		w.after = failing(createsSecret, 1, timeout)
		w.ready("alice")
		w.expectCalls(createsCSR, 1)
	})
	t.Run("a Secret whose update was answered by nobody", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		w.ready("alice")
		w.step(45 * time.Minute)
		w.after = failing(updatesSecret, 1, timeout)
		w.ready("alice")
		w.expectCalls(createsCSR, 2)
	})
}
