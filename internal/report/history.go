// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"

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

// revivedUntil returns until when a certificate is valid that was issued before a withdrawal and has its rights back
// since the identity is active again; the zero time where there is none.
func revivedUntil(spec *v1alpha1.ClientIdentitySpec, uid types.UID, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	group := certificate.CredentialGroup(string(uid), timing.Of(spec.RevokeIssuedBefore))
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

// unrevokedUntil returns until when a certificate of an identity is valid that was issued before revokeIssuedBefore but
// is not reached by it, since the bindings name the user; the zero time where there is none.
func unrevokedUntil(spec *v1alpha1.ClientIdentitySpec, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	if spec.RevokeIssuedBefore == nil || spec.BindTo == v1alpha1.BindToCredential || status.Certificate == nil {
		return until
	}
	for i := range status.Certificates {
		c := &status.Certificates[i]
		if c.Fingerprint == status.Certificate.Fingerprint || c.NotBefore == nil || c.NotAfter == nil {
			continue
		}
		meant := c.NotBefore.Add(renewal.Backdating).Before(spec.RevokeIssuedBefore.Time)
		if meant && c.NotAfter.After(now) && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	return until
}

// NextChange returns when what a status says changes by the mere passing of time; zero where it does not.
func NextChange(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	times := []time.Time{unrevokedUntil(&identity.Spec, status, now), revivedUntil(&identity.Spec, identity.UID, status, now)}
	if end := identity.Spec.AccessUntil; end != nil {
		times = append(times, end.Time)
	}
	if c := status.Certificate; c != nil && c.NotAfter != nil {
		times = append(times, c.NotAfter.Time)
	}
	return timing.Earliest(now, times...)
}
