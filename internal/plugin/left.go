// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/timing"
)

// certificatesLeft says what the certificates of a withdrawn identity are good for, until the last one ends.
func certificatesLeft(identity *v1alpha1.ClientIdentity, now time.Time) string {
	until := timing.Value(identity.Status.OutstandingUntil)
	switch {
	case !until.After(now):
		return "None of its certificates is valid any more."
	case identity.Status.RevocationReach != v1alpha1.ReachAPIServer:
		return "Its certificates are valid until " + At(until, now) + ": whoever has one is that user until then, with what every user may, and what others grant."
	case !allDeniable(identity, now):
		return "The API server denies requests with those of its certificates that carry its credential group. Others are valid until " + At(until, now) +
			", and their holders can encode them in another way, which is not denied."
	}
	return "The API server denies requests with its certificates, which are valid until " + At(until, now) + "."
}

// allDeniable says whether the API server knows all valid certificates of an identity by a group that their holders cannot change.
func allDeniable(identity *v1alpha1.ClientIdentity, now time.Time) bool {
	prefix := certificate.CredentialGroupPrefix(string(identity.UID))
	return !moreValid(identity, now) && !slices.ContainsFunc(identity.Status.Certificates, func(c v1alpha1.IssuedCertificate) bool {
		return timing.Value(c.NotAfter).After(now) && !slices.ContainsFunc(c.Groups, func(group string) bool { return strings.HasPrefix(group, prefix) })
	})
}

// moreValid says whether an identity has valid certificates that its status does not list one by one.
func moreValid(identity *v1alpha1.ClientIdentity, now time.Time) bool {
	more := identity.Status.OtherCertificates
	return more != nil && timing.Value(more.NotAfter).After(now)
}
