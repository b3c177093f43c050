// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import "time"

const (
	// MinimumTTL is the shortest lifetime that Kubernetes lets a request ask for.
	MinimumTTL = 10 * time.Minute
	// MaximumTTL is the longest one: expirationSeconds is an int32.
	MaximumTTL = 2147483647 * time.Second
	// AccessEndSlack is how close to accessUntil a certificate ends that reaches it: a renewal would gain
	// no more than that.
	AccessEndSlack = 2 * time.Minute

	// signingSlack is left between the lifetime asked for and accessUntil, because lifetimes count from
	// the signing, which comes later than the request.
	signingSlack = time.Minute
	// sameEnd is how far apart the ends of two certificates are that end together: they are rounded to seconds.
	sameEnd = time.Second
	// apart is how far apart two certificates begin that tell anything about a common end: two of the same
	// second that a signer's maximum cut end together as well.
	apart = time.Minute
)

// RequestTTL returns the lifetime to ask for, in whole seconds from MinimumTTL to MaximumTTL: the
// shortest of ttl, maxTTL (0 = no bound) and what is left until accessUntil (nil = no end) less a slack
// for the signing. The slack gives way where it would leave less than MinimumTTL.
//
// It returns false in the last MinimumTTL before accessUntil: whatever was issued then would outlive it.
func RequestTTL(ttl, maxTTL time.Duration, accessUntil *time.Time, now time.Time) (time.Duration, bool) {
	if maxTTL > 0 {
		ttl = min(ttl, maxTTL)
	}
	if accessUntil != nil {
		left := accessUntil.Sub(now)
		if left < MinimumTTL {
			return 0, false
		}
		ttl = min(ttl, left-signingSlack)
	}
	return min(max(ttl.Truncate(time.Second), MinimumTTL), MaximumTTL), true
}

// reachesAccessEnd reports whether a certificate reaches accessUntil (nil = no end), within AccessEndSlack: renewing it
// buys no time.
func reachesAccessEnd(v Validity, accessUntil *time.Time) bool {
	return accessUntil != nil && !v.NotAfter.Before(accessUntil.Add(-AccessEndSlack))
}

// endsWithCA reports whether the current certificate and the previous one (nil = none, or not known) end together
// although they began at different times: the signer's CA ends there.
//
// A certificate that got the lifetime that was asked for was not cut by a CA, wherever the previous one
// ended: otherwise one with a shorter ttl, or one up to an accessUntil that has since been moved, would
// not be renewed.
func endsWithCA(current Validity, previous *Validity) bool {
	if previous == nil || current.gotWhatWasAsked() {
		return false
	}
	endTogether := current.NotAfter.Sub(previous.NotAfter).Abs() <= sameEnd
	return endTogether && beginsApart(current, *previous)
}

// retryCapped returns when to ask again for a certificate that ends with its CA, since that may have been replaced
// without anybody's certificate telling: when half of its time is over. Each attempt that gains nothing leaves half
// as much to the next one, so that there are few. The zero time where less than apart is left.
func retryCapped(v Validity) time.Time {
	half := v.Lifetime() / 2
	if half < apart {
		return time.Time{}
	}
	return v.Begin().Add(half).Truncate(time.Second).UTC()
}

// gotWhatWasAsked reports whether the lifetime is at least nine tenths of the one that was asked for:
// the rest covers the minutes that signers set NotBefore back by. False where that is not known.
func (v Validity) gotWhatWasAsked() bool {
	return v.Requested > 0 && v.Lifetime() >= v.Requested/10*9
}

// beginsApart reports whether two certificates were issued at different times. Like is compared with
// like: RequestTime lies minutes after the NotBefore of the same certificate.
func beginsApart(a, b Validity) bool {
	if a.RequestTime.IsZero() || b.RequestTime.IsZero() {
		return a.NotBefore.Sub(b.NotBefore).Abs() >= apart
	}
	return a.RequestTime.Sub(b.RequestTime).Abs() >= apart
}
