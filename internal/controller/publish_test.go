// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
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
	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(errStale))
	w.passes("alice", 12)
	w.expectCalls(createsCSR, 1)
	w.expectCalls(deletesSecret, 0)
	alice := w.ready("alice")
	if alice.Status.Certificate.Revision != 1 {
		t.Errorf("revision %d, want 1", alice.Status.Certificate.Revision)
	}

	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(errStale))
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
	w.before = failing(patchesStatus, 5, apierrors.NewInternalError(errStale))
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
