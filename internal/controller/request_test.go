// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var (
	csrResource  = schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}
	rbacResource = schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}
	timeout      = apierrors.NewTimeoutError("request did not complete within the allotted timeout", 1)
	overloaded   = apierrors.NewTooManyRequests("too many requests", 1)
	crashed      = apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
)

// deny is a signer's place taken by a person who denies.
func deny(csr *certificatesv1.CertificateSigningRequest) {
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{
		{Type: certificatesv1.CertificateDenied, Status: "True", Reason: "NoThanks", Message: "not on my watch"},
	}
}

func isRefusal(c certificatesv1.CertificateSigningRequestCondition) bool {
	return c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed
}

// openRequest returns the one request in the API server that is not finished.
func openRequest(w *world) *certificatesv1.CertificateSigningRequest {
	w.t.Helper()
	var list certificatesv1.CertificateSigningRequestList
	if err := w.api.List(w.t.Context(), &list); err != nil {
		w.t.Fatal(err)
	}
	var open *certificatesv1.CertificateSigningRequest
	for i := range list.Items {
		if csr := &list.Items[i]; len(csr.Status.Certificate) == 0 && !slices.ContainsFunc(csr.Status.Conditions, isRefusal) {
			if open != nil {
				w.t.Fatal("two requests are open")
			}
			open = &list.Items[i]
		}
	}
	if open == nil {
		w.t.Fatal("no request is open")
	}
	return open
}

func TestALostAnswerIsNoLostRequest(t *testing.T) {
	for name, lost := range map[string]error{"timeout": timeout, "500": crashed, "connection": errors.New("EOF"), "deadline": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice"))
			w.after = failing(createsCSR, 1, lost)
			alice := w.passes("alice", 3)
			expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonUnavailable)
			w.expectCalls(createsCSR, 1)
			w.step(10 * time.Second)
			w.ready("alice")
			var list certificatesv1.CertificateSigningRequestList
			if err := w.api.List(t.Context(), &list); err != nil || len(list.Items) != 1 {
				t.Errorf("%d requests (%v), want one", len(list.Items), err)
			}
		})
	}
}

func TestARequestThatSomebodyElseMadeUnderItsNameIsNotOurs(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.before = func(call string, object client.Object) error {
		if call != createsCSR || w.calls[createsCSR] > 1 {
			return nil
		}
		planted := &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: object.GetName(), UID: "planted"},
			Spec:       certificatesv1.CertificateSigningRequestSpec{Request: []byte("another"), SignerName: "kubernetes.io/kube-apiserver-client"},
		}
		return errors.Join(w.api.Create(context.Background(), planted))
	}
	alice := w.passes("alice", 2)
	expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonRequestLost)
	w.expectCalls(approvesCSR, 0)
	w.step(10 * time.Second)
	w.ready("alice")
}

func TestFailuresOfTheAPIServerBackOff(t *testing.T) {
	for name, test := range map[string]struct {
		call   string
		err    error
		reason string
		// requests are made until it works.
		requests int
	}{
		"creation 500":                {createsCSR, crashed, v1alpha1.ReasonUnavailable, 1},
		"creation 429":                {createsCSR, overloaded, v1alpha1.ReasonUnavailable, 1},
		"creation times out":          {createsCSR, timeout, v1alpha1.ReasonUnavailable, 1},
		"creation forbidden":          {createsCSR, apierrors.NewForbidden(csrResource, "x", errors.New("a policy")), v1alpha1.ReasonRequestRejected, 1},
		"creation invalid":            {createsCSR, apierrors.NewInvalid(schema.GroupKind{Kind: "CertificateSigningRequest"}, "x", nil), v1alpha1.ReasonRequestRejected, 1},
		"approval 500":                {approvesCSR, crashed, v1alpha1.ReasonUnavailable, 1},
		"approval 429":                {approvesCSR, overloaded, v1alpha1.ReasonUnavailable, 1},
		"approval forbidden":          {approvesCSR, apierrors.NewForbidden(csrResource, "x", errors.New("no right")), v1alpha1.ReasonApprovalForbidden, 1},
		"Secret 500":                  {createsSecret, crashed, v1alpha1.ReasonUnavailable, 1},
		"Secret forbidden by a quota": {createsSecret, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("quota")), v1alpha1.ReasonSecretRejected, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice"))
			refused := 0
			w.before = func(call string, _ client.Object) error {
				if call == test.call && refused >= 0 {
					refused++
					return test.err
				}
				return nil
			}
			alice := w.passes("alice", 3)
			expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", test.reason)
			if refused > 3 {
				t.Errorf("tried %d times in three passes", refused)
			}
			refused = -1
			w.step(20 * time.Second)
			w.ready("alice")
			var list certificatesv1.CertificateSigningRequestList
			if err := w.api.List(t.Context(), &list); err != nil || len(list.Items) != test.requests {
				t.Errorf("%d requests, want %d", len(list.Items), test.requests)
			}
		})
	}
}

func TestAnApprovalThatSomebodyElseWasFasterWithIsNoFailure(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.before = failing(approvesCSR, 1, apierrors.NewConflict(csrResource, "x", errors.New("changed")))
	if _, err := w.pass("alice"); err != nil {
		t.Error(err)
	}
	if alice := w.get("alice"); alice.Status.Issuance != nil {
		t.Errorf("a failure: %+v", alice.Status.Issuance)
	}
	w.ready("alice")
}

func TestARequestThatOthersDecideAboutMeanwhile(t *testing.T) {
	lostAnswer := func(w *world, decide func(*certificatesv1.CertificateSigningRequest)) {
		w.signs = nil
		w.after = failing(createsCSR, 1, timeout)
		w.passes("alice", 1)
		csr := openRequest(w)
		decide(csr)
		if err := w.api.Status().Update(w.t.Context(), csr); err != nil {
			w.t.Fatal(err)
		}
		w.step(10 * time.Second)
		w.passes("alice", 2)
	}
	t.Run("approved by somebody: it isn't approved twice, which the API server refuses", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		sign := w.signs
		lostAnswer(w, func(csr *certificatesv1.CertificateSigningRequest) {
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: "True"}}
			sign(csr)
		})
		w.ready("alice")
		w.expectCalls(approvesCSR, 0)
	})
	t.Run("denied by somebody: it isn't approved all the same", func(t *testing.T) {
		w := newWorld(t, identity("alice"))
		lostAnswer(w, deny)
		alice := w.passes("alice", 2)
		expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonDenied)
		w.expectCalls(approvesCSR, 0)
	})
}
