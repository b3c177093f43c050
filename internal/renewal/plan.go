// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"time"

	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/timing"
)

// Verdict is what to do about a credential now.
type Verdict string

// The verdicts.
const (
	// Keep means that nothing is to be issued: what is published is kept in order.
	Keep Verdict = "Keep"
	// Drop means that the open request, or its certificate, is not wanted any more: give it up, and plan again.
	Drop Verdict = "Drop"
	// Follow means that a request is open: see what became of it.
	Follow Verdict = "Follow"
	// Publish means that a proven certificate waits: put it into the Secret.
	Publish Verdict = "Publish"
	// Request means that a certificate is to be asked for.
	Request Verdict = "Request"
	// Wait means that there is a reason to go on, and that a gate is closed.
	Wait Verdict = "Wait"
)

// Input is all that a plan looks at.
type Input struct {
	Now time.Time

	// TTL, Policy, AccessUntil (nil = no end) and SignerName are the spec's; MaxTTL (0 = no bound) and AllowedSigners
	// the operator's.
	TTL, MaxTTL    time.Duration
	Policy         Policy
	AccessUntil    *time.Time
	SignerName     string
	AllowedSigners []string
	// Seed spreads renewals: the UID of the identity.
	Seed string

	// RenewRequest is the value of the annotation clientidentity.dev/renew-requested-at, as it is.
	RenewRequest string
	// LastHandledRenewRequest is the RenewRequestID of the request that was handled last.
	LastHandledRenewRequest string
	// RenewTurn is when the renew request may be answered, since many are spread; zero = at once.
	RenewTurn time.Time

	// Published is nil where nothing is published, or where its content cannot be used.
	Published *Published
	// Previous is the certificate before the published one; nil = none, or not known.
	Previous *Validity
	// Issued are the NotBefore of the certificates that are still valid, newest first, the published one included.
	Issued []time.Time
	// RequestTime is when the newest of them was asked for; zero = not known.
	RequestTime time.Time

	// Open is the open request, or nil.
	Open *Open
	// Failure is the last failure in a row, or nil.
	Failure *Failure

	// Issuer is what is known of the CA of the published certificate.
	Issuer Issuer

	// Target, Place and Rights are what stands in the way outside of this plan, or nil: nobody knows what a kubeconfig
	// would say, the Secret has no place, or older certificates still have rights that a revocation ended.
	Target, Place, Rights *problem.Problem
	// PublishFrom is from when on the next certificate may be published, since an API server may be behind with what was taken
	// from older ones; zero = at once.
	PublishFrom time.Time
}

// WithOpen returns the input with another open request, or with none.
func (in Input) WithOpen(open *Open) Input {
	in.Open = open
	return in
}

// WithTurn returns the input with the time when the renew request may be answered.
func (in Input) WithTurn(at time.Time) Input {
	in.RenewTurn = at
	return in
}

// Published is what is known of the published credential.
type Published struct {
	Validity
	// SerialNumber is the one of the certificate, in hexadecimal.
	SerialNumber string
	// ContentProblem says what is wrong with the content of the Secret; empty where nothing is, or
	// where it was not looked at. It must not hold key material.
	ContentProblem string
	// RequestChanged says that the spec asks for another certificate.
	RequestChanged bool
	// Revoked says that the spec revokes it by its fingerprint.
	Revoked bool
}

// Open is a request that is open.
type Open struct {
	// Outdated says that the spec asks for something else by now.
	Outdated bool
	// Unsubmitted says that it is not known whether the API server has it.
	Unsubmitted bool
	// ProvenUntil is the end of its certificate, once that is proven; zero before.
	ProvenUntil time.Time
}

// Issuer is what is known of the CA of the published certificate.
type Issuer struct {
	// Name is its distinguished name.
	Name string
	// SupersededAt is from when on the signer is known to use another CA, spread over many identities; zero = it is not.
	SupersededAt time.Time
	// RefusedAt is when the certificate is issued again since the API server does not accept its CA any more, spread
	// over many identities; zero = it is accepted.
	RefusedAt time.Time
}

// Plan is what to do about a credential now, and why.
type Plan struct {
	Verdict Verdict
	// Reason is why a certificate is wanted, and Message says so for people; empty where none is.
	Reason  Reason
	Message string
	// TTL is the lifetime to ask for with the verdict Request.
	TTL time.Duration
	// Gate names the closed gate with the verdict Wait, and Problem is what to tell of it: nil where nothing is worth telling.
	Gate    string
	Problem *problem.Problem
	// Forget says that earlier failures count no more.
	Forget bool
	// Next is when the plan changes by the mere passing of time; zero = never.
	Next time.Time

	// Schedule is the one of the published certificate.
	Schedule Schedule
	// UpToDate says that the published credential answers the spec and may stand where it should, and that its CA is accepted.
	UpToDate bool
	// Superseded says that the signer uses another CA by now.
	Superseded bool
}

// Schedule is when a certificate is renewed.
type Schedule struct {
	// RenewalTime is when it is renewed; zero = never, since that would gain no time.
	RenewalTime time.Time
	// Capped says that renewing gains no time as far as is known.
	Capped bool
}

// ScheduleOf returns when a certificate is renewed. Seed is the identity's UID and the serial number.
func ScheduleOf(in Input, current Validity, previous *Validity, seed string) Schedule {
	switch {
	case reachesAccessEnd(current, in.AccessUntil):
		return Schedule{Capped: true}
	case !endsWithCA(current, previous):
		return Schedule{RenewalTime: At(current, in.Policy, seed)}
	case !in.Issuer.SupersededAt.IsZero():
		// The signer has another CA by now, which may end later.
		return Schedule{RenewalTime: in.Issuer.SupersededAt}
	}
	return Schedule{RenewalTime: retryCapped(current), Capped: true}
}

// PlanFor decides what to do about a credential now.
func PlanFor(in Input) Plan {
	plan := Plan{}
	if in.Published != nil {
		plan.Schedule = ScheduleOf(in, in.Published.Validity, in.Previous, in.Seed+"/"+in.Published.SerialNumber)
		plan.Superseded = !in.Issuer.SupersededAt.IsZero() && !in.Now.Before(in.Issuer.SupersededAt)
		plan.wake(in.Now, plan.Schedule.RenewalTime, in.Published.NotAfter, in.Issuer.SupersededAt, in.Issuer.RefusedAt)
	}
	if in.AccessUntil != nil {
		plan.wake(in.Now, *in.AccessUntil)
	}
	plan.Reason, plan.Message = decide(in, plan.Schedule)
	plan.UpToDate = in.Published != nil && in.Target == nil && in.Issuer.RefusedAt.IsZero() && (plan.Reason == "" || plan.Reason.routine())
	plan.Forget = in.Failure != nil && in.Failure.Outdated
	switch {
	case in.Open != nil && (in.Open.Outdated || in.Open.spent(in) || in.Open.unneeded(plan.Reason)):
		plan.Verdict = Drop
	case in.Open != nil && !in.Open.ProvenUntil.IsZero():
		plan.pass(Publish, in, publishGates)
	case in.Open != nil && in.Open.Unsubmitted:
		plan.pass(Follow, in, submitGates)
	case in.Open != nil:
		plan.Verdict = Follow
	case plan.Reason == "":
		plan.keep(in)
	default:
		plan.request(in)
	}
	return plan
}

// spent says whether a proven certificate waited too long for a place to be published in, or outlives the access by now.
func (o *Open) spent(in Input) bool {
	return !o.ProvenUntil.IsZero() && (in.Now.After(o.ProvenUntil) || (in.AccessUntil != nil && o.ProvenUntil.After(*in.AccessUntil)))
}

// unneeded says whether a proven certificate has no reason any more: another operator published one while this one stood still.
func (o *Open) unneeded(reason Reason) bool { return reason == "" && !o.ProvenUntil.IsZero() }

// keep plans for a credential that needs nothing. What will be in the way of its place, or of the next one, is told all the same.
func (p *Plan) keep(in Input) {
	p.Verdict, p.Forget = Keep, true
	switch {
	case in.Target != nil:
		p.Problem = in.Target
	case !in.Issuer.RefusedAt.IsZero():
		p.Problem = refused(in)
	}
}

// request plans for a certificate that is wanted.
func (p *Plan) request(in Input) {
	p.pass(Request, in, requestGates)
	if p.Verdict == Request {
		p.TTL, _ = RequestTTL(in.TTL, in.MaxTTL, in.AccessUntil, in.Now)
	}
}

// pass gives the verdict if all gates are open, and Wait at the first that is closed.
func (p *Plan) pass(verdict Verdict, in Input, gates []gate) {
	p.Verdict = verdict
	for _, g := range gates {
		closed, why, until := g.closed(in, p.Reason)
		if !closed {
			continue
		}
		p.Verdict, p.Gate, p.Problem = Wait, g.name, why
		p.wake(in.Now, until)
		return
	}
}

func (p *Plan) wake(now time.Time, times ...time.Time) {
	p.Next = timing.Earliest(now, append(times, p.Next)...)
}
