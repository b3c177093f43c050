// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestAnotherSignerInTheSpecSupersedesNobodysCertificate(t *testing.T) {
	const other = "example.com/ca"
	w := newWorld(t, identity("alice"), identity("bob", func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = other }))
	w.credential.allowedSigners = append(w.credential.allowedSigners, other)
	ours, theirs := w.ca, newTestCA(t)
	theirs.next = 100
	theirs.cert.RawSubject, theirs.cert.Subject.CommonName = nil, "their-ca"
	w.signs = func(csr *certificatesv1.CertificateSigningRequest) {
		if csr.Spec.SignerName == other {
			theirs.sign(w.clock, time.Hour)(csr)
		} else {
			ours.sign(w.clock, time.Hour)(csr)
		}
	}
	w.ready("bob")
	w.step(time.Minute)
	w.ready("alice")
	w.signs = nil
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = other })
	w.passes("alice", 2)
	bob := w.passes("bob", 2)
	expectCondition(t, &bob.Status, v1alpha1.ConditionCertificateIssued, "True", v1alpha1.ReasonIssued)
}

func TestCertificatesOfADroppedCAAreIssuedAgainOnce(t *testing.T) {
	w := newWorld(t, identity("alice"), identity("bob"))
	w.credential.window = 10 * time.Minute
	w.ready("alice")
	w.step(time.Minute)
	w.ready("bob")
	w.step(time.Minute)
	w.prover.err = unauthorized
	watch := w.IssuerWatch()
	done := make(chan error, 1)
	go func() { done <- watch.Start(t.Context()) }()
	w.clientCAsChanged <- struct{}{}
	<-w.everyone // told that something concerns all
	w.prover.err = nil
	w.step(10 * time.Minute)
	for _, name := range []string{"alice", "bob"} {
		if again := w.ready(name); again.Status.Certificate.Revision != 2 {
			t.Errorf("%s has revision %d, want 2", name, again.Status.Certificate.Revision)
		}
	}
	w.passes("alice", 3)
	w.expectCalls(createsCSR, 4)
}
