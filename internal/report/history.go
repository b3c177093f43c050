// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/timing"
)

// revivedUntil returns until when a certificate is valid that was issued before a withdrawal and has its rights back
// since the identity is active again; the zero time where there is none.
func revivedUntil(spec *v1alpha1.ClientIdentitySpec, uid types.UID, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	group := certificate.CredentialGroup(string(uid), timing.Of(spec.RevokeIssuedBefore))
	for i := range status.Certificates {
		c := &status.Certificates[i]
		if !c.Withdrawn || history.Over(c.NotAfter, now) {
			continue
		}
		bound := spec.BindTo != v1alpha1.BindToCredential || slices.Contains(c.Groups, group)
		if bound && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	if others := status.OtherCertificates; others != nil && others.Withdrawn && !history.Over(others.NotAfter, now) && others.NotAfter.After(until) {
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
		if meant && !history.Over(c.NotAfter, now) && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	if others := status.OtherCertificates; others != nil && !history.Over(others.NotAfter, now) && others.NotAfter.After(until) {
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
	for _, d := range inUse(identity, status, now) {
		times = append(times, d.NotAfter.Time)
	}
	if c := status.Certificate; c != nil && c.NotAfter != nil {
		times = append(times, c.NotAfter.Time)
	}
	return timing.Earliest(now, times...)
}
