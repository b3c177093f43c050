// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"time"

	rules "github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/timing"
)

// RenewalTime returns when a device renews a certificate; the zero time where that would gain none, since it reaches accessUntil.
// Operator and device compute the same time, where both take the request's creationTimestamp for the time of the request: a signer
// sets the begin back by minutes, which is half of the life of a short certificate.
func RenewalTime(p Parameters, v rules.Validity, serialNumber string) time.Time {
	if until := timing.Of(p.AccessUntil); until != nil && !v.NotAfter.Before(until.Add(-rules.AccessEndSlack)) {
		return time.Time{}
	}
	var policy rules.Policy
	if p.RenewBefore != nil {
		policy.Before = p.RenewBefore.Duration
	}
	if p.RenewBeforePercentage != nil {
		policy.Percentage = *p.RenewBeforePercentage
	}
	return rules.At(v, policy, string(p.UID)+"/"+serialNumber)
}
