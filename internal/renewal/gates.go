// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"slices"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/timing"
)

// gate is something that may stand between a reason to issue and the next step. It says whether it is closed, what to tell
// of that (nil where nothing is worth telling), and when it opens by itself (zero where it does not).
type gate struct {
	name   string
	closed func(Input, Reason) (bool, *problem.Problem, time.Time)
}

// The gates, in the order in which they are looked at: the first that is closed is the one that the user sees.
var (
	// requestGates stand before another certificate is asked for.
	requestGates = []gate{
		{"target", target},
		{"access-ending", accessEnding},
		{"signer-not-allowed", signerNotAllowed},
		{"place", place},
		{"renewed-just-now", renewedJustNow},
		{"renew-turn", renewTurn},
		{"issued-too-often", issuedTooOften},
		{"last-failure", lastFailure},
	}
	// submitGates stand before a request is sent again of which nobody knows whether it arrived.
	submitGates = []gate{{"last-failure", lastFailure}}
	// publishGates stand before a proven certificate is published.
	publishGates = []gate{{"target", target}, {"place", place}, {"rights", rights}, {"api-servers-behind", apiServersBehind}}
)

// target is closed while nobody knows what the kubeconfig would say, or where it may stand.
func target(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	return in.Target != nil, in.Target, time.Time{}
}

// place is closed while the namespace of the Secret does not exist or is going.
func place(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	return in.Place != nil, in.Place, time.Time{}
}

// rights is closed while certificates that a revocation is meant for still have rights: a copy of one could fetch the
// next credential.
func rights(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	return in.Rights != nil, in.Rights, time.Time{}
}

// apiServersBehind is closed while one may still let older certificates read what is published.
func apiServersBehind(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	return in.Now.Before(in.PublishFrom), nil, in.PublishFrom
}

// accessEnding is closed in the last ten minutes before accessUntil: whatever was issued then would outlive it.
func accessEnding(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	if _, ok := RequestTTL(in.TTL, in.MaxTTL, in.AccessUntil, in.Now); ok {
		return false, nil, time.Time{}
	}
	return true, problem.NewWaiting(v1alpha1.ReasonAccessEnding, 0,
		"no certificate is requested in the last ten minutes before accessUntil (%s)", timing.Stamp(*in.AccessUntil)), time.Time{}
}

// signerNotAllowed is closed where the operator may not ask the spec's signer.
func signerNotAllowed(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	if slices.Contains(in.AllowedSigners, in.SignerName) {
		return false, nil, time.Time{}
	}
	return true, problem.NewStalled(v1alpha1.ReasonSignerNotAllowed,
		"the operator may not ask signer %q for certificates, only %s: set spec.signerName to one of them, or add it to --allowed-signers",
		in.SignerName, strings.Join(in.AllowedSigners, ", ")), time.Time{}
}

// renewedJustNow is closed for renew requests right after an issuance. They come from whoever may annotate, and are not
// a way to keep the signer busy. An issuance in the future is one of a clock that was ahead: it holds nothing up.
func renewedJustNow(in Input, reason Reason) (bool, *problem.Problem, time.Time) {
	if reason != RenewRequested || in.RequestTime.IsZero() || in.Now.Before(in.RequestTime) {
		return false, nil, time.Time{}
	}
	earliest := in.RequestTime.Add(MinimumInterval)
	return in.Now.Before(earliest), nil, earliest
}

// renewTurn is closed for a renew request until it is its turn, where many were made at once.
func renewTurn(in Input, reason Reason) (bool, *problem.Problem, time.Time) {
	return reason == RenewRequested && in.Now.Before(in.RenewTurn), nil, in.RenewTurn
}

// issuedTooOften is closed where something deletes the Secret, or changes the spec, in a loop.
func issuedTooOften(in Input, reason Reason) (bool, *problem.Problem, time.Time) {
	next := NextAllowed(in.RequestTime, in.Issued, in.Now)
	if next.IsZero() || reason.routine() {
		return !next.IsZero(), nil, next
	}
	return true, problem.NewWaiting(v1alpha1.ReasonIssuedTooOften, 0,
		"%d certificates were issued within %s, the next one is at %s: find out what deletes the Secret, or changes the spec, again and again",
		LimitCertificates, LimitInterval, timing.Stamp(next)), next
}

// lastFailure is closed until it is time for the next attempt; after a denial, until the spec or the renew request changes.
func lastFailure(in Input, _ Reason) (bool, *problem.Problem, time.Time) {
	if in.Failure == nil || in.Failure.Outdated || (!in.Failure.Denied() && !in.Failure.Holds(in.Now)) {
		return false, nil, time.Time{}
	}
	return true, in.Failure.Problem(), in.Failure.RetryAt()
}

// refused tells that the CA of the published certificate is not accepted any more.
func refused(in Input) *problem.Problem {
	return problem.NewTransient(v1alpha1.ReasonIssuerNotTrusted, "the API server no longer accepts certificates of %q: a new one is issued at %s",
		in.Issuer.Name, timing.Stamp(in.Issuer.RefusedAt))
}
