// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
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

// revivedUntil returns until when a certificate is valid that was issued before a withdrawal and has its rights back
// since the identity is active again; the zero time where there is none.
func revivedUntil(spec *v1alpha1.ClientIdentitySpec, uid types.UID, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	group := certificate.CredentialGroup(string(uid), timeOf(spec.RevokeIssuedBefore))
	for i := range status.Certificates {
		c := &status.Certificates[i]
		if !c.Withdrawn || c.NotAfter == nil || !c.NotAfter.After(now) {
			continue
		}
		bound := spec.BindTo != v1alpha1.BindToCredential || slices.Contains(c.Groups, group)
		if bound && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	return until
}
