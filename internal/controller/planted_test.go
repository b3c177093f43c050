// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
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
