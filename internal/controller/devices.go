// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
)

// devices is the phase of the requests that holders make: it approves and denies them, and tells of what was issued.
type devices struct {
	requests *issuance.Holders
	// maxTTL (0 = no bound) and allowedSigners bound what may be approved.
	maxTTL         time.Duration
	allowedSigners []string
}

// devicesOutcome is what became of the requests that holders made.
type devicesOutcome struct {
	report.Devices
	// err is what stands in the way: a problem, or an error that nothing more is known of.
	err   error
	stale bool
	// events are about what no status tells.
	events []report.Event
	// next is when to look again at the latest; zero where a watch tells.
	next time.Time
}

// settle looks at the requests about an identity that has access.
func (d *devices) settle(ctx context.Context, l look.Look) devicesOutcome {
	outcome := d.apply(ctx, l.Identity, l.Status, l.Now, l.Obstacle != nil || d.notAllowed(l.Identity) != nil)
	if p := d.notAllowed(l.Identity); p != nil {
		outcome.err = problem.Join(outcome.err, p)
	}
	outcome.Problem = problem.Of(outcome.err)
	return outcome
}

// end denies the requests about an identity that has no access, and records what was issued last.
func (d *devices) end(ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, now time.Time) devicesOutcome {
	return d.apply(ctx, identity, status, now, false)
}

// apply looks at the requests about an identity.
func (d *devices) apply(ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, now time.Time, hold bool) devicesOutcome {
	done := d.requests.Settle(ctx, issuance.Given{
		// What the API server has not got yet entitles to nothing.
		Identity: identity, Status: status, Now: now, MaxTTL: d.maxTTL, Enrolment: identity.Status.EnrolmentRef, Hold: hold,
	})
	outcome := devicesOutcome{Devices: report.Devices{Changes: done.Changes}, err: done.Err, stale: done.Stale, next: done.Next}
	for _, left := range done.LeftAlone {
		outcome.events = append(outcome.events, report.LeftAlone(left).Event())
	}
	return outcome
}

// notAllowed returns that the operator may not approve requests for the signer of an identity whose holders make the keys.
func (d *devices) notAllowed(identity *v1alpha1.ClientIdentity) *problem.Problem {
	spec := &identity.Spec
	if spec.PrivateKey.Source != v1alpha1.SourceHolder || slices.Contains(d.allowedSigners, spec.SignerName) {
		return nil
	}
	return problem.NewStalled(v1alpha1.ReasonSignerNotAllowed,
		"the operator may not approve requests for signer %q, only for %s: set spec.signerName to one of them, or add it to --allowed-signers",
		spec.SignerName, strings.Join(d.allowedSigners, ", "))
}
