// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func requestRenewal(value string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		metav1.SetMetaDataAnnotation(&id.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, value)
		id.Generation-- // a changed annotation is no new generation
	}
}

func TestAFailureIsTriedAgainAfterAWhileThatGrows(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.signs = func(csr *certificatesv1.CertificateSigningRequest) {
		csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateFailed, Status: "True", Reason: "SignerValidationFailure", Message: "no"}}
	}
	for attempt, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second} {
		alice := w.passes("alice", 4)
		w.expectCalls(createsCSR, attempt+1)
		expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonSignerFailed)
		if got := alice.Status.Issuance.FailedAttempts; got != int32(attempt+1) {
			t.Errorf("%d failed attempts, want %d", got, attempt+1)
		}
		result, err := w.pass("alice")
		if err != nil || result.RequeueAfter != wait {
			t.Errorf("looks again after %s (%v), want %s", result.RequeueAfter, err, wait)
		}
		w.step(wait - time.Second)
		w.passes("alice", 2)
		w.expectCalls(createsCSR, attempt+1)
		w.step(time.Second)
	}
	expectNoCondition(t, &w.get("alice").Status, v1alpha1.ConditionStalled)
}

func TestADenialIsAskedAgainOnlyWhereSomethingChanged(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.ClientIdentity)
		asks   int
	}{
		"not by time":                     {func(id *v1alpha1.ClientIdentity) { id.Generation-- }, 1},
		"where the spec changed":          {func(id *v1alpha1.ClientIdentity) { id.Spec.Groups = nil }, 2},
		"where a binding changed":         {reads, 2},
		"where a renewal is requested":    {requestRenewal("now"), 2},
		"not where it changed before too": {func(id *v1alpha1.ClientIdentity) { id.Generation-- }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice"))
			w.signs = deny
			alice := w.passes("alice", 4)
			expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonDenied)
			w.step(24 * time.Hour)
			w.change("alice", test.change)
			w.passes("alice", 4)
			w.expectCalls(createsCSR, test.asks)
		})
	}
}

func TestAValidCredentialStaysReadyWhileItsRenewalIsDenied(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	w.signs = deny
	w.step(45 * time.Minute)
	alice := w.passes("alice", 4)
	expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
	expectCondition(t, &alice.Status, v1alpha1.ConditionCertificateIssued, "True", v1alpha1.ReasonDenied)
	expectNoCondition(t, &alice.Status, v1alpha1.ConditionReconciling)
	w.step(time.Hour)
	alice = w.passes("alice", 4)
	expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonDenied)
	w.expectCalls(createsCSR, 2)
}

func TestAClockThatGoesBackHoldsNothingUp(t *testing.T) {
	t.Run("a failure that is in the future by now is tried again", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		w.before = failing(createsCSR, 1, crashed)
		w.passes("alice", 3)
		w.expectCalls(createsCSR, 1)
		w.step(-24 * time.Hour)
		w.ready("alice")
	})
	t.Run("a renewal is done although the certificate was asked for in the future", func(t *testing.T) {
		w := newWorld(t, identity("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.TTL.Duration = 96 * time.Hour }))
		w.signs = w.ca.sign(w.clock, 96*time.Hour)
		w.ready("alice")
		w.step(-time.Minute)
		w.change("alice", requestRenewal("now"))
		w.passes("alice", 4)
		w.expectCalls(createsCSR, 2)
	})
}

func TestRenewRequestsAreRateLimited(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	w.change("alice", requestRenewal("1"))
	result, err := w.pass("alice")
	if err != nil || result.RequeueAfter != 10*time.Second {
		t.Errorf("looks again after %s (%v), want 10s", result.RequeueAfter, err)
	}
	w.expectCalls(createsCSR, 1)
	w.step(10 * time.Second)
	if again := w.ready("alice"); again.Status.LastHandledRenewRequest != "1" || again.Status.Certificate.Revision != 2 {
		t.Errorf("not renewed: %+v", again.Status.Certificate)
	}
	w.passes("alice", 3)
	w.expectCalls(createsCSR, 2)
}

func TestWhatTheAPIServerSaysOfANewCredential(t *testing.T) {
	for name, test := range map[string]struct {
		prove    func(*fakeProver)
		reason   string
		requests int
	}{
		"a timeout is no verdict: the same certificate is proven again": {
			func(p *fakeProver) { p.err = errors.New("context deadline exceeded") }, v1alpha1.ReasonUnavailable, 1},
		"429 is no verdict": {func(p *fakeProver) { p.err = overloaded }, v1alpha1.ReasonUnavailable, 1},
		"Unauthorized is one: another is requested, later": {
			func(p *fakeProver) { p.err = unauthorized }, v1alpha1.ReasonNotAccepted, 2},
		"another user is one": {func(p *fakeProver) {
			p.user = &authenticationv1.UserInfo{Username: "admin", Groups: []string{"developers"}}
		}, v1alpha1.ReasonNotAccepted, 2},
		"a group more is one": {func(p *fakeProver) {
			p.user = &authenticationv1.UserInfo{Username: "alice@example.com", Groups: []string{"developers", "admins", "system:authenticated"}}
		}, v1alpha1.ReasonNotAccepted, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice"))
			test.prove(w.prover)
			alice := w.passes("alice", 4)
			expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", test.reason)
			w.expectCalls(createsCSR, 1)
			w.expectCalls(createsSecret, 0)
			w.prover.err, w.prover.user = nil, nil
			w.step(10 * time.Second)
			w.ready("alice")
			w.expectCalls(createsCSR, test.requests)
		})
	}
}

func TestWhoDeletesTheSecretInALoopGetsFewCertificates(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	for range 300 {
		if w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") {
			if err := w.api.Delete(t.Context(), secretOf(w, "alice")); err != nil {
				t.Fatal(err)
			}
		}
		w.passes("alice", 2)
		w.step(time.Second)
	}
	w.expectCalls(createsCSR, 10)
	alice := w.get("alice")
	expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonIssuedTooOften)
	result, err := w.pass("alice")
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > 5*time.Minute {
		t.Errorf("looks again after %s (%v)", result.RequeueAfter, err)
	}
	w.step(result.RequeueAfter)
	w.ready("alice")
}
