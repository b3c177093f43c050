// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package history keeps the list of certificates that were issued for an identity and are still valid, and sums up those that it has
// no room for: what they may do matters until they end. It is pure.
package history

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/timing"
)

const (
	// maxCertificates bounds status.certificates.
	maxCertificates = 20
	// newestCertificates are kept whatever they may do: how often certificates are issued is counted with them.
	newestCertificates = renewal.LimitCertificates
	// maxOtherGroups bounds the groups of those that there is no room for.
	maxOtherGroups = 64
)

// Over says whether a certificate has ended by the clock of any API server, which may be behind ours.
func Over(notAfter *metav1.Time, now time.Time) bool {
	return notAfter == nil || !now.Before(notAfter.Add(timing.ClockSkew))
}

// Remember puts a certificate that was published into the list of valid ones. The newest are kept, and those that are valid longest.
func Remember(status *v1alpha1.ClientIdentityStatus, published v1alpha1.IssuedCertificate, now time.Time) {
	all := append([]v1alpha1.IssuedCertificate{published}, valid(status, now)...)
	newest := all[:min(len(all), newestCertificates)]
	older := slices.Clone(all[len(newest):])
	slices.SortStableFunc(older, func(a, b v1alpha1.IssuedCertificate) int { return b.NotAfter.Compare(a.NotAfter.Time) })
	list(status, slices.Concat(newest, older), now)
}

// RememberDevice puts a certificate that was issued to a device into the list of valid ones. Each device has
// the same room: one that gets many pushes out none of another.
func RememberDevice(status *v1alpha1.ClientIdentityStatus, issued v1alpha1.IssuedCertificate, now time.Time) {
	all := append([]v1alpha1.IssuedCertificate{issued}, valid(status, now)...)
	seen := map[string]int{}
	ranks := map[string]int{}
	for i := range all {
		c := &all[i]
		ranks[c.Fingerprint] = seen[c.Device]
		seen[c.Device]++
	}
	slices.SortStableFunc(all, func(a, b v1alpha1.IssuedCertificate) int {
		return cmp.Compare(ranks[a.Fingerprint], ranks[b.Fingerprint])
	})
	list(status, all, now)
}

// valid returns the listed certificates that have not ended.
func valid(status *v1alpha1.ClientIdentityStatus, now time.Time) []v1alpha1.IssuedCertificate {
	return slices.DeleteFunc(slices.Clone(status.Certificates), func(c v1alpha1.IssuedCertificate) bool { return Over(c.NotAfter, now) })
}

// list keeps as many certificates as there is room for, newest first, and sums up the others.
func list(status *v1alpha1.ClientIdentityStatus, all []v1alpha1.IssuedCertificate, now time.Time) {
	kept := slices.Clone(all[:min(len(all), maxCertificates)])
	others := status.OtherCertificates
	if others != nil && Over(others.NotAfter, now) {
		others = nil
	}
	for _, c := range all[len(kept):] {
		others = sumUp(others, c)
	}
	status.OtherCertificates = others
	slices.SortStableFunc(kept, func(a, b v1alpha1.IssuedCertificate) int { return cmp.Compare(b.Revision, a.Revision) })
	status.Certificates = kept
}

// LastRevision returns the revision of the certificate that was issued last, also before a withdrawal; 0 where there is none that is
// still known.
func LastRevision(status *v1alpha1.ClientIdentityStatus) int64 {
	var last int64
	if status.Certificate != nil {
		last = status.Certificate.Revision
	}
	for i := range status.Certificates {
		last = max(last, status.Certificates[i].Revision)
	}
	for i := range status.Devices {
		last = max(last, status.Devices[i].Revision)
	}
	return last
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
