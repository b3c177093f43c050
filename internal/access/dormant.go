// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// Observation is since when every use of a certificate is noticed.
type Observation struct {
	// Unknown says that this process has not found that out yet.
	Unknown bool
	// Since is when it began, and Until up to when it is known to have gone on without a break; zero = uses are not noticed.
	Since, Until time.Time
}

// Dormancy says whether nobody uses an identity.
type Dormancy struct {
	// Unknown says that nothing is known: what was said before stays.
	Unknown bool
	// Since is since when nobody has used it, where that is long enough to call it dormant; zero = it is not.
	Since time.Time
	// Next is when to look again; zero = never.
	Next time.Time
}

// observationLook is how often to look whether uses are (still) noticed, where that decides; more often for a short time.
const observationLook = 10 * time.Minute

// DormancyOf says whether nobody used a published credential for a time (zero = never): since its last use or since it was
// published, and in a time that was watched from its beginning to its end.
func DormancyOf(status *v1alpha1.ClientIdentityStatus, observed Observation, after time.Duration, now time.Time) Dormancy {
	published := publishedSince(status)
	if after <= 0 || published.IsZero() {
		return Dormancy{}
	}
	unused := published
	if status.LastUsed != nil && status.LastUsed.Time.After(unused) {
		unused = status.LastUsed.Time.Time
	}
	if due := unused.Add(after); now.Before(due) {
		return Dormancy{Next: due}
	}
	look := now.Add(min(observationLook, after/20))
	switch watched := observed.Since.Add(after); {
	case observed.Unknown:
		return Dormancy{Unknown: true, Next: look}
	case observed.Since.IsZero():
		return Dormancy{Next: look}
	case now.Before(watched):
		return Dormancy{Next: timing.Earliest(now, watched, look)}
	case observed.Until.Before(unused.Add(after)) || observed.Until.Before(watched):
		return Dormancy{Next: look} // what happened at the end may still be on its way
	}
	return Dormancy{Since: unused.Truncate(time.Second), Next: look}
}

// publishedSince returns since when a credential has been published; zero where none is.
func publishedSince(status *v1alpha1.ClientIdentityStatus) time.Time {
	switch {
	case status.Certificate == nil:
		return time.Time{}
	case status.PublishedSince != nil:
		return status.PublishedSince.Time
	}
	return timing.Value(status.Certificate.RequestTime) // published by an earlier version
}

// withdrawnAsDormant says whether an identity has lost its access, or is about to, since nobody used it. Once that has begun it
// stays so: a copy that somebody tries meanwhile does not bring the access back.
func withdrawnAsDormant(id *v1alpha1.ClientIdentity) bool {
	if id.Spec.WhenDormant != v1alpha1.WithdrawDormant || id.Status.DormantSince == nil {
		return false
	}
	usedAgain := id.Status.LastUsed != nil && id.Status.LastUsed.Time.After(id.Status.DormantSince.Time)
	return begun(&id.Status) || !usedAgain
}

// begun says whether access is being taken away, or is gone.
func begun(status *v1alpha1.ClientIdentityStatus) bool {
	return status.Certificate == nil || status.State == v1alpha1.ObservedWithdrawing
}

// Unfounded says whether an ending is for dormancy that was told of before, and is not known right now: uses may have gone
// unnoticed since, while the operator or its audit events were away. One that has begun goes on.
func (e *Ending) Unfounded(status *v1alpha1.ClientIdentityStatus, dormancy Dormancy) bool {
	return e.Reason == v1alpha1.ReasonDormant && !begun(status) && dormancy.Since.IsZero()
}
