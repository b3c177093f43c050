// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package usage keeps status.lastUsed: the API server posts its audit events here, and what they tell of the certificates of
// identities comes into the status, with at most one write an hour for each identity.
//
// What an event tells, what becomes of a status, and when that is written is pure (event.go, use.go); handler.go
// takes posts from the API server, table.go holds what is yet to be written, writer.go writes it, and server.go serves.
package usage

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/text"
)

const (
	// maxUserAgent bounds a user agent in the status, in bytes: clients write there what they like.
	maxUserAgent = 256
	// maxCertificates bounds the list in the status.
	maxCertificates = 20
)

// Use is a request that somebody made with a certificate.
type Use struct {
	// Time is when, in whole seconds, as the status has it.
	Time time.Time
	// SourceAddress and UserAgent are as they may be shown; empty = not known.
	SourceAddress, UserAgent string
}

// useOf returns a use as it may be shown. Nothing in the future has been used.
func useOf(at, now time.Time, addresses []string, userAgent string) Use {
	if at.After(now) {
		at = now
	}
	return Use{Time: at.UTC().Truncate(time.Second), SourceAddress: sourceAddress(addresses), UserAgent: text.Shorten(text.Printable(userAgent), maxUserAgent)}
}

// sourceAddress returns the address that the API server saw: the last one. Clients can write the others themselves.
func sourceAddress(addresses []string) string {
	if len(addresses) == 0 {
		return ""
	}
	address, err := netip.ParseAddr(addresses[len(addresses)-1])
	if err != nil {
		return ""
	}
	return address.WithZone("").String()
}

// Record returns what status.lastUsed becomes when certificates, by fingerprint, were used. Those that the status does not
// list (any more) have no entry. The one before is not changed; where nothing is new it is returned as it is.
func Record(before *v1alpha1.LastUsed, listed []v1alpha1.IssuedCertificate, uses map[string]Use) *v1alpha1.LastUsed {
	after := &v1alpha1.LastUsed{}
	if before != nil {
		after = before.DeepCopy()
	}
	isNew := false
	for i := range listed {
		c := &listed[i]
		use, used := uses[c.Fingerprint]
		if !used || !newer(after, c.Fingerprint, use.Time) {
			continue
		}
		isNew = true
		entry := v1alpha1.CertificateUse{
			Fingerprint: c.Fingerprint, Revision: c.Revision, Time: metav1.Time{Time: use.Time}, SourceAddress: use.SourceAddress, UserAgent: use.UserAgent,
		}
		after.Certificates = append(slices.DeleteFunc(after.Certificates, func(e v1alpha1.CertificateUse) bool { return e.Fingerprint == c.Fingerprint }), entry)
		if after.Fingerprint == "" || after.Time.Time.Before(use.Time) {
			after.CertificateUse = entry
		}
	}
	if !isNew {
		return before
	}
	after.Certificates = slices.DeleteFunc(after.Certificates, func(e v1alpha1.CertificateUse) bool {
		return !slices.ContainsFunc(listed, func(c v1alpha1.IssuedCertificate) bool { return c.Fingerprint == e.Fingerprint })
	})
	slices.SortStableFunc(after.Certificates, func(a, b v1alpha1.CertificateUse) int {
		return cmp.Or(b.Time.Compare(a.Time.Time), cmp.Compare(b.Revision, a.Revision))
	})
	after.Certificates = after.Certificates[:min(len(after.Certificates), maxCertificates)]
	return after
}

// newer says whether a use is later than the one that is recorded of a certificate, if any.
func newer(recorded *v1alpha1.LastUsed, fingerprint string, at time.Time) bool {
	last := entryOf(recorded, fingerprint)
	return last == nil || last.Time.Time.Before(at)
}

// everUsed says whether a use of a certificate is recorded.
func everUsed(recorded *v1alpha1.LastUsed, fingerprint string) bool {
	return entryOf(recorded, fingerprint) != nil
}

func entryOf(recorded *v1alpha1.LastUsed, fingerprint string) *v1alpha1.CertificateUse {
	if recorded == nil {
		return nil
	}
	for i := range recorded.Certificates {
		if recorded.Certificates[i].Fingerprint == fingerprint {
			return &recorded.Certificates[i]
		}
	}
	return nil
}

// latest returns when an identity was used last, as far as is recorded.
func latest(recorded *v1alpha1.LastUsed) time.Time {
	if recorded == nil {
		return time.Time{}
	}
	return recorded.Time.Time
}
