// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

func TestRevivedUntil(t *testing.T) {
	const uid = "d01fa743-3673-4dec-b269-05423cdcc6a9"
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	end, revoke := now.Add(time.Hour), now.Add(-time.Minute)
	old := certificate.CredentialGroup(uid, nil)
	entry := func(withdrawn bool, notAfter time.Time, groups ...string) v1alpha1.IssuedCertificate {
		return v1alpha1.IssuedCertificate{Withdrawn: withdrawn, NotAfter: &metav1.Time{Time: notAfter}, Groups: groups}
	}
	list := func(entries ...v1alpha1.IssuedCertificate) []v1alpha1.IssuedCertificate { return entries }
	later, earlier := now.Add(2*time.Hour), now.Add(-time.Hour)
	others := func(withdrawn bool, with *time.Time) *v1alpha1.OtherCertificates {
		o := &v1alpha1.OtherCertificates{NotAfter: &metav1.Time{Time: later}, Withdrawn: withdrawn}
		if with != nil {
			o.RevokeIssuedBefore = &metav1.Time{Time: *with}
		}
		return o
	}
	for name, test := range map[string]struct {
		bindTo  v1alpha1.BindTo
		revoke  *time.Time
		entries []v1alpha1.IssuedCertificate
		others  *v1alpha1.OtherCertificates
		want    time.Time
	}{
		"a certificate that was never withdrawn is not revived":  {v1alpha1.BindToUsername, nil, list(entry(false, end)), nil, time.Time{}},
		"one of the user name has its rights back":               {v1alpha1.BindToUsername, nil, list(entry(false, now), entry(true, end)), nil, end},
		"one that has ended has not":                             {v1alpha1.BindToUsername, nil, list(entry(true, now.Add(-timing.ClockSkew))), nil, time.Time{}},
		"one that has ended by this clock alone has":             {v1alpha1.BindToUsername, nil, list(entry(true, now)), nil, now},
		"one of the same credential group has":                   {v1alpha1.BindToCredential, nil, list(entry(true, end, old)), nil, end},
		"one that was revoked has not":                           {v1alpha1.BindToCredential, &revoke, list(entry(true, end, old)), nil, time.Time{}},
		"those that are not listed have":                         {v1alpha1.BindToUsername, nil, list(entry(true, now)), others(true, nil), later},
		"those that are not listed and never withdrawn have not": {v1alpha1.BindToUsername, nil, nil, others(false, nil), time.Time{}},
		"those that are not listed and were revoked have not":    {v1alpha1.BindToCredential, &revoke, nil, others(true, &earlier), time.Time{}},
		"those that are not listed of the same group have":       {v1alpha1.BindToCredential, &revoke, nil, others(true, &revoke), later},
		"those that are not listed, where nothing is revoked":    {v1alpha1.BindToCredential, nil, nil, others(true, nil), later},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.ClientIdentitySpec{BindTo: test.bindTo}
			if test.revoke != nil {
				spec.RevokeIssuedBefore = &metav1.Time{Time: *test.revoke}
			}
			got := revivedUntil(spec, uid, &v1alpha1.ClientIdentityStatus{Certificates: test.entries, OtherCertificates: test.others}, now)
			if !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestUnrevokedUntil(t *testing.T) {
	entry := func(end time.Duration, with *metav1.Time) v1alpha1.IssuedCertificate {
		return v1alpha1.IssuedCertificate{NotAfter: at(end), RevokeIssuedBefore: with}
	}
	newest, old := entry(time.Hour, at(0)), entry(30*time.Minute, nil)
	list := func(entries ...v1alpha1.IssuedCertificate) []v1alpha1.IssuedCertificate { return entries }
	for name, test := range map[string]struct {
		bindTo  v1alpha1.BindTo
		revoke  *metav1.Time
		entries []v1alpha1.IssuedCertificate
		want    time.Duration // 0 = there is none
	}{
		"an earlier one keeps what the user is granted":           {v1alpha1.BindToUsername, at(0), list(newest, old), 30 * time.Minute},
		"the one that ends last":                                  {v1alpha1.BindToUsername, at(0), list(newest, old, entry(2*time.Hour, at(-time.Hour))), 2 * time.Hour},
		"none where nothing is revoked":                           {v1alpha1.BindToUsername, nil, list(newest, old), 0},
		"none where bindings name the credential":                 {v1alpha1.BindToCredential, at(0), list(newest, old), 0},
		"the published one, until it is issued again":             {v1alpha1.BindToUsername, at(time.Minute), list(newest), time.Hour},
		"not one that has ended":                                  {v1alpha1.BindToUsername, at(0), list(newest, entry(-timing.ClockSkew, nil)), 0},
		"one that has ended by this clock alone":                  {v1alpha1.BindToUsername, at(0), list(newest, entry(-time.Second, nil)), -time.Second},
		"not one that was asked for with the revocation":          {v1alpha1.BindToUsername, at(0), list(newest, entry(2*time.Hour, at(0))), 0},
		"one with a revocation of the future, which was followed": {v1alpha1.BindToUsername, at(0), list(entry(2*time.Hour, at(time.Minute))), 2 * time.Hour},
		"any of those that are not listed one by one":             {v1alpha1.BindToUsername, at(0), list(newest), -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			id := identity(func(id *v1alpha1.ClientIdentity) {
				id.Spec.BindTo, id.Spec.RevokeIssuedBefore = test.bindTo, test.revoke
			})
			status := &v1alpha1.ClientIdentityStatus{Certificates: test.entries}
			if test.want == -time.Hour {
				test.want, status.OtherCertificates = 3*time.Hour, &v1alpha1.OtherCertificates{NotAfter: at(3 * time.Hour)}
			}
			got := unrevokedUntil(&id.Spec, status, start)
			if test.want == 0 && !got.IsZero() || test.want != 0 && !got.Equal(start.Add(test.want)) {
				t.Errorf("got %v, want %s after %v", got, test.want, start)
			}
		})
	}
}

func TestNextChange(t *testing.T) {
	none := func(*v1alpha1.ClientIdentity) {}
	until := func(end time.Duration) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = at(end) }
	}
	revoking := func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(0) }
	withdrawnOnce := []v1alpha1.IssuedCertificate{{Fingerprint: "f0", Withdrawn: true, NotBefore: at(-time.Hour), NotAfter: at(10 * time.Minute)}}
	for name, test := range map[string]struct {
		spec         func(*v1alpha1.ClientIdentity)
		certificate  *v1alpha1.CertificateStatus
		certificates []v1alpha1.IssuedCertificate
		want         time.Duration // 0 = nothing changes
	}{
		"nothing where nothing is published":           {none, nil, nil, 0},
		"a certificate that ends":                      {none, issued(time.Hour), nil, time.Hour},
		"access that ends before":                      {until(30 * time.Minute), issued(time.Hour), nil, 30 * time.Minute},
		"access that ends after":                       {until(2 * time.Hour), issued(time.Hour), nil, time.Hour},
		"nothing once both have ended":                 {until(0), issued(0), nil, 0},
		"an earlier certificate that has rights again": {none, issued(time.Hour), withdrawnOnce, 10*time.Minute + timing.ClockSkew},
		"an earlier one that the revocation misses":    {revoking, issued(time.Hour), withdrawnOnce, 10*time.Minute + timing.ClockSkew},
		"a certificate of which nobody knows its end":  {none, &v1alpha1.CertificateStatus{}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := NextChange(identity(test.spec), &v1alpha1.ClientIdentityStatus{Certificate: test.certificate, Certificates: test.certificates}, start)
			if test.want == 0 && !got.IsZero() || test.want != 0 && !got.Equal(start.Add(test.want)) {
				t.Errorf("got %v, want %s after %v", got, test.want, start)
			}
		})
	}
}
