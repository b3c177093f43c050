// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import "time"

const (
	// MinimumBackoff is the wait after a first failure, and the shortest one.
	MinimumBackoff = 10 * time.Second
	// MaximumBackoff is the longest wait after a failure.
	MaximumBackoff = time.Hour
)

// Backoff returns the wait after failedAttempts failures in a row, from MinimumBackoff to
// MaximumBackoff: it doubles with each failure, but is at most a quarter of what remains of the published
// certificate, so that a short one gets its tries before it ends. Where nothing remains (0 or less) there is
// nothing to hurry for, and it only doubles.
func Backoff(failedAttempts int32, remaining time.Duration) time.Duration {
	wait := MinimumBackoff
	for attempt := int32(1); attempt < failedAttempts && wait < MaximumBackoff; attempt++ {
		wait *= 2
	}
	if remaining > 0 {
		wait = min(wait, remaining/4)
	}
	return min(max(wait, MinimumBackoff), MaximumBackoff)
}

// NextRetry returns when to try again after failedAttempts failures in a row, of which the last was at
// lastFailure; zero (at once) where none failed. notAfter is the end of the published certificate; zero
// where there is none.
//
// What remains counts from the failure, not from now, and the failure in the whole seconds that the status
// keeps: every pass and every restart computes the same time.
func NextRetry(lastFailure time.Time, failedAttempts int32, notAfter time.Time) time.Time {
	if failedAttempts <= 0 {
		return time.Time{}
	}
	lastFailure = lastFailure.Truncate(time.Second)
	var remaining time.Duration
	if !notAfter.IsZero() {
		remaining = notAfter.Sub(lastFailure)
	}
	return lastFailure.Add(Backoff(failedAttempts, remaining))
}
