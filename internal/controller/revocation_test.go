// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

func TestARevocationThatDoesNotReachOlderCertificatesSaysSo(t *testing.T) {
	const said = "revokeIssuedBefore does not reach the certificates issued before, valid until 2026-11-22T04:04:00Z"
	for bindTo, want := range map[v1alpha1.BindTo]bool{v1alpha1.BindToUsername: true, v1alpha1.BindToCredential: false} {
		t.Run(string(bindTo), func(t *testing.T) {
			w := newWorld(t, identity("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = bindTo }))
			message := func() string {
				t.Helper()
				return meta.FindStatusCondition(w.ready("alice").Status.Conditions, v1alpha1.ConditionCertificateIssued).Message
			}
			if before := message(); strings.Contains(before, "revokeIssuedBefore") {
				t.Errorf("without a revocation: %s", before)
			}
			w.step(time.Minute)
			alice := w.get("alice")
			alice.Spec.RevokeIssuedBefore, alice.Generation = at(time.Minute), alice.Generation+1
			if err := w.api.Update(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
			if after := message(); strings.Contains(after, said) != want {
				t.Errorf("after the revocation: %s", after)
			}
			if alice := w.get("alice"); alice.Status.Certificate.Revision != 2 {
				t.Errorf("revision %d, want 2", alice.Status.Certificate.Revision)
			}
			// The first one ends; the second one, which was issued after the revocation, was not meant.
			w.step(59*time.Minute + timing.ClockSkew)
			if later := message(); strings.Contains(later, "revokeIssuedBefore") {
				t.Errorf("after the end of the earlier certificate: %s", later)
			}
		})
	}
}
