// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package renewal decides what to do about a credential now, and why: PlanFor gives a verdict, from the ordered reasons to
// issue (reasons.go) and the ordered gates that may stand between a reason and the next step (gates.go), with the schedule, the
// lifetime to ask for, and the wait after a failure. It is pure: the time is a parameter.
package renewal

import (
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// MinimumInterval is the least time between an issuance and the renewal that a policy may ask for. A
// policy that leaves less does not fit the lifetime, and the default applies.
const MinimumInterval = 10 * time.Second

// Policy says how long before its end a certificate is renewed. The zero value is the default: a
// third of the lifetime really issued.
type Policy struct {
	// Before is the time before the end; it has precedence. Zero or less means not set.
	Before time.Duration
	// Percentage is the part of the lifetime really issued that is left, 1 to 90. Zero or less means not set.
	Percentage int32
}

// PolicyOf returns the policy that a spec asks for.
func PolicyOf(spec *v1alpha1.ClientIdentitySpec) Policy {
	var p Policy
	if spec.RenewBefore != nil {
		p.Before = spec.RenewBefore.Duration
	}
	if spec.RenewBeforePercentage != nil {
		p.Percentage = *spec.RenewBeforePercentage
	}
	return p
}

// Validity is what is known of the time that a certificate is valid in.
type Validity struct {
	// NotBefore and NotAfter are those of the certificate, in whole seconds.
	NotBefore, NotAfter time.Time
	// RequestTime is when the certificate was asked for; zero where that is not known.
	RequestTime time.Time
	// Requested is the lifetime that was asked for; zero where that is not known.
	Requested time.Duration
}

// Begin returns the moment that the lifetime counts from: RequestTime in whole seconds, since signers set
// NotBefore back by minutes (half the life of a 10-minute certificate), or NotBefore where RequestTime is
// not known or not within the validity.
//
// Whole seconds, because that is what the status keeps: a restarted operator computes the same times.
func (v Validity) Begin() time.Time {
	issued := v.RequestTime.Truncate(time.Second)
	if v.RequestTime.IsZero() || issued.Before(v.NotBefore) || issued.After(v.NotAfter) {
		return v.NotBefore.Truncate(time.Second)
	}
	return issued
}

// Lifetime returns the time from Begin to NotAfter, in whole seconds. It is zero or less only for a
// certificate that was never valid.
func (v Validity) Lifetime() time.Duration {
	return v.NotAfter.Truncate(time.Second).Sub(v.Begin())
}

// At returns the moment to renew at: NotAfter, less what the policy asks for, less a jitter. It is in
// whole seconds, UTC, and never before the lifetime begins.
//
// The jitter depends on the seed alone (the identity's UID and the serial number), so that it is the same
// after a restart while a fleet that was created at once does not renew at once. It is less than a tenth
// of the time before the end, and less than half of the time from issuance to it.
func At(v Validity, p Policy, seed string) time.Time {
	end := v.NotAfter.Truncate(time.Second).UTC()
	lifetime := v.Lifetime()
	if lifetime <= 0 {
		return end
	}
	before := p.renewBefore(lifetime)
	window := min(before/10, (lifetime-before)/2)
	return end.Add(-before - timing.Jitter(seed, window))
}

// renewBefore returns how long before its end a certificate of this lifetime (more than zero) is
// renewed, in whole seconds: what the policy asks for, or a third of the lifetime where it asks for
// nothing or for what would renew within MinimumInterval of the issuance.
func (p Policy) renewBefore(lifetime time.Duration) time.Duration {
	before := lifetime / 3
	switch {
	case p.Before > 0:
		before = p.Before
	case p.Percentage > 0:
		// Divided first: a lifetime of 292 years times 90 would overflow.
		before = lifetime / 100 * time.Duration(p.Percentage)
	}
	if lifetime-before < MinimumInterval {
		before = lifetime / 3
	}
	// Rounded up, so that less than a second does not become none.
	return (before + time.Second - 1).Truncate(time.Second)
}
