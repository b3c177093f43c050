// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestADeviceDoesNotWaitForRequestsOfOthers(t *testing.T) {
	w, laptop := enrolled(t)
	for range 60 {
		w.request("laptop", w.key(), func(csr *certificatesv1.CertificateSigningRequest) { csr.Spec.Username = "eve" })
	}
	renewal := w.request("laptop", w.key(), by(laptop.Fingerprint))
	w.passes("alice", 2)
	if csr, reason := w.answer(renewal); len(csr.Status.Conditions) == 0 || reason != "" {
		t.Errorf("it waits, or was denied: %q", reason)
	}
}

// A renewal that was approved before a revocation would give a certificate that no revocation names.
func TestNothingIsSignedForADeviceThatIsRevoked(t *testing.T) {
	revoke := func(w *world, fingerprint string) {
		w.change("alice", func(id *v1alpha1.ClientIdentity) {
			id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint}}
		})
	}
	t.Run("while its signer is slow", func(t *testing.T) {
		w, laptop := enrolled(t)
		w.signs = nil
		renewal := w.request("laptop", w.key(), by(laptop.Fingerprint))
		w.passes("alice", 3)
		if csr, _ := w.answer(renewal); len(csr.Status.Conditions) != 1 {
			t.Fatalf("it was not approved: %+v", csr.Status)
		}
		revoke(w, laptop.Fingerprint)
		w.passes("alice", 2)
		if w.exists(&certificatesv1.CertificateSigningRequest{}, "", renewal) {
			t.Error("a signer may still sign what was approved")
		}
	})
	t.Run("where it was signed already", func(t *testing.T) {
		w, laptop := enrolled(t)
		w.request("laptop", w.key(), by(laptop.Fingerprint))
		w.passes("alice", 2)
		revoke(w, laptop.Fingerprint)
		w.told()
		w.passes("alice", 3)
		if told := strings.Join(w.told(), "\n"); strings.Count(told, "UnknownCertificate") != 1 || !strings.Contains(told, "revoke the device again") {
			t.Errorf("events: %s", told)
		}
	})
}
