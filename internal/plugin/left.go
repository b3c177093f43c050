// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// certificatesLeft says what the certificates of a withdrawn identity are good for, until the last one ends.
func certificatesLeft(identity *v1alpha1.ClientIdentity, until, now time.Time) string {
	switch {
	case !until.After(now):
		return "None of its certificates is valid any more."
	case identity.Status.RevocationReach == v1alpha1.ReachAPIServer:
		// The message tells of those that cannot be denied, and of bindings, which are a table here.
		return "The API server denies requests with its certificates, which are valid until " + At(until, now) + "."
	}
	return "Its certificates are valid until " + At(until, now) + ": whoever has one is that user until then, with what every user may, and what others grant."
}
