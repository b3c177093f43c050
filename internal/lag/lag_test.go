// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/look"
)

func TestTheNextKubeconfigWaitsForAPIServersThatAreBehind(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "d01fa743-3673-4dec-b269-05423cdcc6a9"}}
	alice.Spec.BindTo, alice.Spec.Secret.HolderCanRead = v1alpha1.BindToCredential, true
	published := access.WantedGroup(alice)
	seen := func(revocation time.Duration, after time.Duration, groups ...string) look.Look {
		id := alice.DeepCopy()
		id.Spec.RevokeIssuedBefore = &metav1.Time{Time: now.Add(revocation)}
		l := look.Look{Identity: id, Now: now.Add(after)}
		for _, group := range groups {
			l.Status.Certificate = &v1alpha1.CertificateStatus{}
			l.Status.Certificates = append(l.Status.Certificates, v1alpha1.IssuedCertificate{Groups: []string{group}})
		}
		return l
	}
	newest := func(revocation time.Duration) string { return access.WantedGroup(seen(revocation, 0).Identity) }
	const none = time.Duration(-1)
	l := New(5 * time.Second)
	for _, step := range []struct {
		name             string
		given            look.Look
		complete, reader bool
		want             time.Duration // after now
	}{
		{"not the first one ever", seen(0, 0), true, true, none},
		{"not while a binding still gives something", seen(0, 0, published), false, true, none},
		{"not where nobody may read", seen(0, 0, published), true, false, none},
		{"from when no binding gives anything", seen(0, time.Second, published), true, true, 6 * time.Second},
		{"no longer, whatever else is looked at", seen(0, 3*time.Second, published), true, true, 6 * time.Second},
		{"also where nobody may read any more", seen(0, 3*time.Second, published), true, false, 6 * time.Second},
		{"anew where a binding gave something again", seen(0, 4*time.Second, published), false, true, none},
		{"from when it gives nothing again", seen(0, 5*time.Second, published), true, true, 10 * time.Second},
		{"anew for another revocation", seen(6*time.Second, 6*time.Second, published), true, true, 11 * time.Second},
		{"anew where the clock was ahead", seen(6*time.Second, 0, published), true, true, 5 * time.Second},
		{"not for a renewal of what is not revoked", seen(6*time.Second, 20*time.Second, newest(6*time.Second), published), true, true, none},
	} {
		want := time.Time{}
		if step.want != none {
			want = now.Add(step.want)
		}
		if got := l.Until(step.given, step.complete, step.reader); !got.Equal(want) {
			t.Errorf("%s: waits until %s, want %s", step.name, got, want)
		}
	}
	l.Until(seen(0, 0, published), true, true)
	if l.Forget("alice"); len(l.byName) > 0 {
		t.Error("it is remembered after it is gone")
	}
}
