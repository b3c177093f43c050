// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

func TestRevivedUntil(t *testing.T) {
	const uid = "d01fa743-3673-4dec-b269-05423cdcc6a9"
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	end, revoke := now.Add(time.Hour), now.Add(-time.Minute)
	old := certificate.CredentialGroup(uid, nil)
	entry := func(withdrawn bool, notAfter time.Time, groups ...string) v1alpha1.IssuedCertificate {
		return v1alpha1.IssuedCertificate{Withdrawn: withdrawn, NotAfter: &metav1.Time{Time: notAfter}, Groups: groups}
	}
	for name, test := range map[string]struct {
		bindTo  v1alpha1.BindTo
		revoke  *time.Time
		entries []v1alpha1.IssuedCertificate
		want    time.Time
	}{
		"a certificate that was never withdrawn is not revived": {v1alpha1.BindToUsername, nil, []v1alpha1.IssuedCertificate{entry(false, end)}, time.Time{}},
		"one of the user name has its rights back":              {v1alpha1.BindToUsername, nil, []v1alpha1.IssuedCertificate{entry(false, now), entry(true, end)}, end},
		"one that has ended has not":                            {v1alpha1.BindToUsername, nil, []v1alpha1.IssuedCertificate{entry(true, now)}, time.Time{}},
		"one of the same credential group has":                  {v1alpha1.BindToCredential, nil, []v1alpha1.IssuedCertificate{entry(true, end, old)}, end},
		"one that was revoked has not":                          {v1alpha1.BindToCredential, &revoke, []v1alpha1.IssuedCertificate{entry(true, end, old)}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.ClientIdentitySpec{BindTo: test.bindTo}
			if test.revoke != nil {
				spec.RevokeIssuedBefore = &metav1.Time{Time: *test.revoke}
			}
			got := revivedUntil(spec, uid, &v1alpha1.ClientIdentityStatus{Certificates: test.entries}, now)
			if !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRevisionsGoOnAfterAWithdrawal(t *testing.T) {
	status := &v1alpha1.ClientIdentityStatus{Certificates: []v1alpha1.IssuedCertificate{{Revision: 3, Withdrawn: true}, {Revision: 2}}}
	if got := lastRevision(status); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}
