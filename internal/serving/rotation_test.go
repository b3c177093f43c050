// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestAFreshStartTakesTwoWritesAndNoTime(t *testing.T) {
	w := newWorld(t)
	began := w.clock.Now()
	w.follow()
	if w.follower.Ready() == nil {
		t.Error("is ready without a certificate")
	}
	w.pass()
	if w.follower.Ready() == nil {
		t.Error("is ready with a certificate that the API server does not know")
	}
	w.pass()
	w.mustServe(w.secret())
	w.mustPublish(w.secret())
	if !w.clock.Now().Equal(began) {
		t.Error("it waited")
	}
	before := w.secret().ResourceVersion
	w.settle(false)
	if w.secret().ResourceVersion != before {
		t.Error("something was written again")
	}
	if webhooks, _ := w.configuration().Object["webhooks"].([]any); webhooks[0].(map[string]any)["unknown"] != "kept" {
		t.Error("a field was dropped that this version does not know")
	}
}

func TestWhateverBecomesOfTheSecretTheAPIServerIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(w *world, data map[string][]byte)
		// newCA says that the repair takes one.
		newCA bool
	}{
		"emptied":                        {func(_ *world, data map[string][]byte) { clear(data) }, true},
		"without a certificate":          {func(_ *world, data map[string][]byte) { delete(data, corev1.TLSCertKey) }, false},
		"with garbage for a certificate": {func(_ *world, data map[string][]byte) { data[corev1.TLSCertKey] = []byte("x") }, false},
		"with garbage for a key":         {func(_ *world, data map[string][]byte) { data[corev1.TLSPrivateKeyKey] = []byte("x") }, false},
		"with the key of another":        {func(_ *world, data map[string][]byte) { data[corev1.TLSPrivateKeyKey] = data[caKeyKey] }, false},
		"with garbage for a CA":          {func(_ *world, data map[string][]byte) { data[caCertKey] = []byte("x") }, true},
		"with garbage for the CA's key":  {func(_ *world, data map[string][]byte) { data[caKeyKey] = []byte("x") }, true},
		"with a certificate for its CA": {func(_ *world, data map[string][]byte) {
			data[caCertKey], data[caKeyKey] = data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
		}, true},
		"with a certificate of another CA": {func(w *world, data map[string][]byte) {
			_, other := w.made(webhookName)
			data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = other[corev1.TLSCertKey], other[corev1.TLSPrivateKeyKey]
		}, false},
		"with a certificate for another name": {func(w *world, data map[string][]byte) {
			maker := newMaker([]string{"elsewhere"})
			ca, err := maker.authority(data, w.clock.Now())
			if err == nil {
				err = maker.newCertificate(data, ca, w.clock.Now())
			}
			if err != nil {
				w.Fatal(err)
			}
		}, false},
		"with another one's CA and certificate": {func(w *world, data map[string][]byte) {
			_, other := w.made(webhookName)
			for key, value := range other {
				data[key] = value
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.settle(false)
			w.clock.SetTime(w.clock.Now().Add(time.Hour))
			before := copied(w.secret())
			w.change(func(data map[string][]byte) { test.breakIt(w, data) })
			w.follow()
			w.mustBeAccepted()
			w.settle(true)
			w.mustServe(w.secret())
			w.mustPublish(w.secret())
			if kept := sameKeys(before, w.secret().Data, caCertKey, caKeyKey); kept == test.newCA {
				t.Errorf("the CA was kept: %t", kept)
			}
		})
	}
}

func TestRenewsInTimeAndNoRequestIsLost(t *testing.T) {
	w := newWorld(t)
	w.settle(false)
	ca := copied(w.secret())
	w.clock.SetTime(w.clock.Now().Add(authorityLifetime - 2*certificateLifetime))
	w.settle(false)
	if first := copied(w.secret()); !sameKeys(ca, first, caCertKey) || sameKeys(ca, first, corev1.TLSCertKey) {
		t.Error("after eight years there is another CA, or the same certificate")
	}
	first := copied(w.secret())
	certificates, authorities := 0, 0
	for range 3 * 365 / 30 {
		before := copied(w.secret())
		w.clock.SetTime(w.clock.Now().Add(30 * 24 * time.Hour))
		w.settle(true)
		now := w.secret().Data
		if !sameKeys(before, now, corev1.TLSCertKey) {
			certificates++
		}
		if !sameKeys(before, now, caCertKey) {
			authorities++
		}
		w.trusted = w.trusted[len(w.trusted)-1:]
	}
	if certificates < 3 || certificates > 5 || authorities != 1 {
		t.Errorf("in three more years %d certificates and %d CAs", certificates, authorities)
	}
	if sameKeys(first, w.secret().Data, corev1.TLSPrivateKeyKey) {
		t.Error("the key is the same")
	}
}

func TestWhatAClockAheadHasMadeIsReplacedWhenItIsSetRight(t *testing.T) {
	w := newWorld(t)
	right := w.clock.Now()
	w.clock.SetTime(right.Add(30 * 24 * time.Hour))
	w.settle(false)
	w.clock.SetTime(right)
	w.settle(false)
	w.mustServe(w.secret())
	w.mustPublish(w.secret())
	if err := w.follower.Ready(); err != nil {
		t.Error(err)
	}
}

func TestALeaderThatEndsHalfwayIsFollowedByOneThatGoesOn(t *testing.T) {
	for steps := range 6 {
		w := newWorld(t)
		w.settle(false)
		w.change(func(data map[string][]byte) { clear(data) })
		w.follow()
		for range steps {
			if again := w.pass(); again < lookAgain {
				w.clock.SetTime(w.clock.Now().Add(again))
			}
			w.mustBeAccepted()
		}
		w.newLeader()
		w.settle(true)
		w.mustServe(w.secret())
		w.mustPublish(w.secret())
	}
}

func TestOneThatHasServedNothingKeepsAFewCAsUntilItKnows(t *testing.T) {
	w := newWorld(t)
	for range 6 {
		ca, _ := w.made(webhookName)
		w.publish(append(w.bundle(), ca)...)
	}
	w.pass()
	w.pass()
	if kept := len(w.bundle()); kept != keptUnknown+1 {
		t.Errorf("%d CAs are published", kept)
	}
	w.settle(false)
	w.mustServe(w.secret())
	w.mustPublish(w.secret())
}

func TestOnlyTheFirstCertificateOfTheCAIsPublished(t *testing.T) {
	w := newWorld(t)
	w.settle(false)
	other, _ := w.made(webhookName)
	own := w.bundle()[0]
	w.change(func(data map[string][]byte) {
		data[caCertKey] = append(data[caCertKey], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw})...)
	})
	w.publish(other)
	w.settle(false)
	if bundle := w.bundle(); len(bundle) != 1 || !bundle[0].Equal(own) {
		t.Errorf("%d CAs are published", len(bundle))
	}
}

func TestAConflictIsLookedAtAgainAndNoError(t *testing.T) {
	w := newWorld(t)
	w.leader.writer = interceptor.NewClient(w.client.(client.WithWatch), interceptor.Funcs{
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, key.Name, errors.New("changed"))
		},
	})
	result, err := w.leader.Reconcile(w.quiet(), reconcile.Request{})
	if err != nil || result.RequeueAfter != afterConflict {
		t.Errorf("%v, %v", result, err)
	}
}

func TestWithoutASecretOrAConfigurationNothingFails(t *testing.T) {
	w := newWorld(t)
	if err := w.client.Delete(t.Context(), w.configuration()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := w.leader.Reconcile(w.quiet(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.follower.Reconcile(w.quiet(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	w.mustServe(w.secret())
	if err := w.client.Delete(t.Context(), w.secret()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.leader.Reconcile(w.quiet(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.follower.Reconcile(w.quiet(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	if err := w.follower.Ready(); err != nil {
		t.Error(err)
	}
}
