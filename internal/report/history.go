// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/timing"
)

// lastRevision returns the revision of the certificate that was published last, also before a withdrawal; 0 where
// there is none that is still known.
func lastRevision(status *v1alpha1.ClientIdentityStatus) int64 {
	var last int64
	if status.Certificate != nil {
		last = status.Certificate.Revision
	}
	if len(status.Certificates) > 0 {
		last = max(last, status.Certificates[0].Revision)
	}
	return last
}

// over says whether a certificate has ended by the clock of any API server, which may be behind ours.
func over(notAfter *metav1.Time, now time.Time) bool {
	return notAfter == nil || !now.Before(notAfter.Add(timing.ClockSkew))
}

// revivedUntil returns until when a certificate is valid that was issued before a withdrawal and has its rights back
// since the identity is active again; the zero time where there is none.
func revivedUntil(spec *v1alpha1.ClientIdentitySpec, uid types.UID, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	group := certificate.CredentialGroup(string(uid), timing.Of(spec.RevokeIssuedBefore))
	for i := range status.Certificates {
		c := &status.Certificates[i]
		if !c.Withdrawn || over(c.NotAfter, now) {
			continue
		}
		bound := spec.BindTo != v1alpha1.BindToCredential || slices.Contains(c.Groups, group)
		if bound && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	if others := status.OtherCertificates; others != nil && others.Withdrawn && !over(others.NotAfter, now) && others.NotAfter.After(until) {
		// Revocations grow: what was asked for with the newest of theirs is all that the wanted one may leave its rights.
		if spec.BindTo != v1alpha1.BindToCredential || sameSecond(others.RevokeIssuedBefore, spec.RevokeIssuedBefore) {
			until = others.NotAfter.Time
		}
	}
	return until
}

// unrevokedUntil returns until when a certificate of an identity is valid that a revocation is meant for but does not reach,
// since the bindings name the user; the zero time where there is none. Meant is what was asked for without that revocation.
func unrevokedUntil(spec *v1alpha1.ClientIdentitySpec, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	if spec.RevokeIssuedBefore == nil || spec.BindTo == v1alpha1.BindToCredential {
		return until
	}
	for i := range status.Certificates {
		c := &status.Certificates[i]
		meant := !sameSecond(c.RevokeIssuedBefore, spec.RevokeIssuedBefore)
		if meant && !over(c.NotAfter, now) && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	if others := status.OtherCertificates; others != nil && !over(others.NotAfter, now) && others.NotAfter.After(until) {
		until = others.NotAfter.Time // which of them are meant is not known
	}
	return until
}

// sameSecond says whether two revocations are one, or both are none: whole seconds count.
func sameSecond(a, b *metav1.Time) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Unix() == b.Unix()
}

// NextChange returns when what a status says changes by the mere passing of time; zero where it does not.
func NextChange(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var times []time.Time
	for _, until := range []time.Time{unrevokedUntil(&identity.Spec, status, now), revivedUntil(&identity.Spec, identity.UID, status, now), aloneUntil(&identity.Spec, status, now, false)} {
		if !until.IsZero() {
			times = append(times, until.Add(timing.ClockSkew))
		}
	}
	if end := identity.Spec.AccessUntil; end != nil {
		times = append(times, end.Time)
	}
	if c := status.Certificate; c != nil && c.NotAfter != nil {
		times = append(times, c.NotAfter.Time)
	}
	return timing.Earliest(now, times...)
}

const (
	// maxCertificates bounds status.certificates.
	maxCertificates = 20
	// newestCertificates are kept whatever they may do: how often certificates are issued is counted with them.
	newestCertificates = renewal.LimitCertificates
	// maxOtherGroups bounds the groups of those that there is no room for.
	maxOtherGroups = 64
)

// remember puts a certificate that was published into the list of valid ones, and sums up those that it has no room for: what
// they may do matters until they end.
func remember(status *v1alpha1.ClientIdentityStatus, published v1alpha1.IssuedCertificate, now time.Time) {
	earlier := slices.DeleteFunc(slices.Clone(status.Certificates), func(c v1alpha1.IssuedCertificate) bool {
		return over(c.NotAfter, now)
	})
	all := append([]v1alpha1.IssuedCertificate{published}, earlier...)
	newest := all[:min(len(all), newestCertificates)]
	older := slices.Clone(all[len(newest):])
	slices.SortStableFunc(older, func(a, b v1alpha1.IssuedCertificate) int { return b.NotAfter.Compare(a.NotAfter.Time) })
	kept := older[:min(len(older), maxCertificates-len(newest))]
	others := status.OtherCertificates
	if others != nil && over(others.NotAfter, now) {
		others = nil
	}
	for _, c := range older[len(kept):] {
		others = sumUp(others, c)
	}
	status.OtherCertificates = others
	slices.SortStableFunc(kept, func(a, b v1alpha1.IssuedCertificate) int { return cmp.Compare(b.Revision, a.Revision) })
	status.Certificates = slices.Concat(newest, kept)
}

// sumUp adds a certificate to the sum of those that are not listed.
func sumUp(sum *v1alpha1.OtherCertificates, c v1alpha1.IssuedCertificate) *v1alpha1.OtherCertificates {
	after := sum.DeepCopy()
	if after == nil {
		after = &v1alpha1.OtherCertificates{}
	}
	if after.NotAfter == nil || after.NotAfter.Before(c.NotAfter) {
		after.NotAfter = c.NotAfter.DeepCopy()
	}
	after.Withdrawn = after.Withdrawn || c.Withdrawn
	if after.RevokeIssuedBefore == nil || (c.RevokeIssuedBefore != nil && after.RevokeIssuedBefore.Before(c.RevokeIssuedBefore)) {
		after.RevokeIssuedBefore = c.RevokeIssuedBefore.DeepCopy()
	}
	for _, group := range c.Groups {
		switch {
		case strings.HasPrefix(group, v1alpha1.CredentialGroupPrefix) || slices.Contains(after.Groups, group):
		case len(after.Groups) == maxOtherGroups:
			after.MoreGroups = true
		default:
			after.Groups = append(after.Groups, group)
		}
	}
	slices.Sort(after.Groups)
	return after
}
