// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import "time"

const (
	// LimitCertificates is how many certificates of one identity are issued within LimitInterval at most.
	LimitCertificates = 10
	// LimitInterval is the time that they are counted in.
	LimitInterval = 5 * time.Minute
)

// NextAllowed returns when the next certificate may be asked for so that somebody who deletes the Secret in a loop, or
// changes the spec in one, does not keep the signer and etcd busy; the zero time where it may be at any time. requestTime is
// when the newest certificate was asked for; notBefore are those of the certificates that are still valid, newest
// first: signers set all of them back by the same time. An issuance in the future, of a clock that was ahead, is not counted.
func NextAllowed(requestTime time.Time, notBefore []time.Time, now time.Time) time.Time {
	if len(notBefore) < LimitCertificates || requestTime.IsZero() || requestTime.After(now) {
		return time.Time{}
	}
	first := requestTime.Add(notBefore[LimitCertificates-1].Sub(notBefore[0]))
	if next := first.Add(LimitInterval); next.After(now) {
		return next
	}
	return time.Time{}
}
