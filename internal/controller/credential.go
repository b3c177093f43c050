// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/issuer"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/timing"
)

// credential is the phase that keeps a valid, proven credential published: it issues a certificate where there is a reason
// to, and keeps the Secret as it should be otherwise.
type credential struct {
	secrets  *secret.Store
	requests *issuance.Requests
	turns    *issuance.Turns
	issuers  *issuer.Registry
	// live reads identities past the cache, before a certificate is asked for.
	live client.Reader
	// maxTTL (0 = no bound) and allowedSigners bound what is asked of signers; window is the time over which many identities
	// are spread that have the same reason to act.
	maxTTL         time.Duration
	allowedSigners []string
	window         time.Duration
	// deniable gives each certificate the groups that the authorization webhook knows it by.
	deniable bool
}

// credentialOutcome is what was done about the credential.
type credentialOutcome struct {
	report.Credential
	// err is what stands in the way: a problem, or an error that nothing more is known of.
	err   error
	stale bool
	// next is when to look again at the latest; zero where a watch tells.
	next time.Time
}

// outcomeOf is what was done about a credential, with what stands in the way of the next one, and of keeping the published one,
// which counts for more. A cache that was behind is nobody's fault.
func outcomeOf(done report.Credential, err, keepErr error, next time.Time) credentialOutcome {
	stale := errors.Is(err, problem.ErrStale) || errors.Is(keepErr, problem.ErrStale)
	if errors.Is(err, problem.ErrStale) {
		err = nil
	}
	if keepErr != nil && !errors.Is(keepErr, problem.ErrStale) {
		err, done.Quiet = problem.Join(keepErr, err), false
	}
	done.Problem = problem.Of(err)
	return credentialOutcome{Credential: done, err: err, stale: stale, next: next}
}

// forget drops what is remembered of the identity of that name.
func (c *credential) forget(name string) {
	c.requests.Forget(name)
	c.turns.Forget(name)
}

// advance brings the credential one step further. Rights are what certificates still have that a revocation is meant for, or nil;
// publishFrom is from when on the next one may be published.
func (c *credential) advance(ctx context.Context, l look.Look, rights *problem.Problem, publishFrom time.Time) credentialOutcome {
	if err := problem.Join(l.Obstacle, l.PublishedErr, l.Target.Err); err != nil {
		return c.standing(l, renewal.Plan{}, err)
	}
	c.noteIssuer(l)
	in, err := c.tidied(ctx, l, c.input(l, rights, publishFrom))
	plan := renewal.PlanFor(in)
	if err == nil {
		err = c.requests.CloseStrays(ctx, l.Identity)
	}
	if err != nil {
		return c.standing(l, plan, err)
	}
	step := c.step(ctx, l, plan)
	if step.Proven != nil {
		in = in.WithOpen(openOf(step.Proven, l))
		if plan = renewal.PlanFor(in); plan.Verdict == renewal.Publish {
			return c.publish(ctx, l, in, step.Proven)
		}
	}
	ref, keepErr := c.refresh(ctx, l)
	return c.outcome(l, plan, step, ref, keepErr)
}

// tidied returns what a plan looks at, after giving up a request that is not wanted any more, and after asking for a turn where
// one is to be waited for.
func (c *credential) tidied(ctx context.Context, l look.Look, in renewal.Input) (renewal.Input, error) {
	if renewal.PlanFor(in).Verdict == renewal.Drop {
		if err := c.requests.Drop(ctx, l.Identity); err != nil {
			return in, err
		}
		in = in.WithOpen(nil)
	}
	plan := renewal.PlanFor(in)
	if plan.Verdict == renewal.Request && plan.Reason == renewal.RenewRequested && l.Status.Certificate != nil {
		in = in.WithTurn(c.turns.Next(l.Identity.Name, renewal.RenewRequestID(in.RenewRequest), l.Now))
	}
	return in, nil
}

// step takes the step that was planned for the request.
func (c *credential) step(ctx context.Context, l look.Look, plan renewal.Plan) issuance.Outcome {
	switch plan.Verdict {
	case renewal.Request:
		return c.request(ctx, l, plan)
	case renewal.Follow:
		return c.requests.Follow(ctx, l.Identity, l.Open)
	case renewal.Publish:
		return issuance.Outcome{Proven: l.Open}
	}
	return issuance.Outcome{}
}

// standing is the outcome of a pass that did nothing about the credential.
func (c *credential) standing(l look.Look, plan renewal.Plan, err error) credentialOutcome {
	return outcomeOf(report.Credential{
		SecretRef: l.Status.SecretRef, Usable: l.Published.Usable(), Schedule: renewal.ScheduleIn(l.Status.Certificate), Issuance: l.Status.Issuance,
	}, err, nil, plan.Next)
}

// outcome is what came of a plan and of the step that it led to, while a credential is kept at ref.
func (c *credential) outcome(l look.Look, plan renewal.Plan, step issuance.Outcome, ref *v1alpha1.SecretReference, keepErr error) credentialOutcome {
	attempts := l.Status.Issuance
	if plan.Forget {
		attempts = nil
	}
	err, next := step.Err, timing.Earliest(l.Now, plan.Next, step.Next)
	switch {
	case step.Failure != nil:
		attempt := renewal.Attempt{
			Reason: step.Failure.Reason, Message: step.Failure.Message, RequestName: step.Waiting,
			RenewRequest: step.Failure.RenewRequest, Generation: l.Identity.Generation,
		}
		attempts = renewal.Record(attempts, attempt, l.ValidUntil(), l.Now)
		failure := renewal.FailureOf(attempts, attempt.Generation, attempt.RenewRequest, l.ValidUntil())
		err, next = failure.Problem(), timing.Earliest(l.Now, next, failure.RetryAt())
	case step.Waiting != "":
		attempts = waitingFor(attempts, step.Waiting)
	}
	if err == nil && plan.Problem != nil {
		err = plan.Problem
	}
	return outcomeOf(report.Credential{
		SecretRef: ref, Usable: l.Published.Usable(), Schedule: plan.Schedule, UpToDate: plan.UpToDate, Superseded: plan.Superseded,
		Issuance: attempts, Server: l.Target.Server, Quiet: step.Quiet,
	}, cmp.Or(err, l.Target.Notice), keepErr, next)
}

// waitingFor shows the open request in the status.
func waitingFor(before *v1alpha1.IssuanceStatus, name string) *v1alpha1.IssuanceStatus {
	after := before.DeepCopy()
	if after == nil {
		after = &v1alpha1.IssuanceStatus{}
	}
	after.CertificateSigningRequest = name
	return after
}

// refresh keeps the Secret of a credential that stays in order, whatever becomes of the next one, and returns where it is.
func (c *credential) refresh(ctx context.Context, l look.Look) (*v1alpha1.SecretReference, error) {
	if !l.Keepable() {
		return l.Status.SecretRef, nil
	}
	ref, err := c.secrets.Refresh(ctx, c.wanted(l), &l.Status, l.Published, l.SecretNamespace)
	if err != nil {
		return l.Status.SecretRef, err
	}
	return ref, c.tidy(ctx, l, ref)
}

// tidy removes other Secrets of the identity, once the API server's status speaks of the one that is published.
func (c *credential) tidy(ctx context.Context, l look.Look, published *v1alpha1.SecretReference) error {
	if !samePlace(l.Identity.Status.SecretRef, published) {
		return nil // the next pass does
	}
	return c.secrets.RemoveOthers(ctx, l.Identity, published)
}

func samePlace(a, b *v1alpha1.SecretReference) bool {
	return a != nil && b != nil && a.Namespace == b.Namespace && a.Name == b.Name
}

// publish puts a proven credential into the Secret.
func (c *credential) publish(ctx context.Context, l look.Look, in renewal.Input, open *issuance.Open) credentialOutcome {
	ref, err := c.secrets.Publish(ctx, c.wanted(l), &secret.Credential{Key: open.Key, Issued: open.Issued, Hash: open.Hash}, &l.Status, l.Published)
	if err != nil {
		return c.outcome(l, renewal.Plan{Schedule: renewal.ScheduleIn(l.Status.Certificate)}, issuance.Outcome{}, l.Status.SecretRef, err)
	}
	c.forget(l.Identity.Name)
	certificate := &report.Certificate{Issued: open.Issued, RequestTime: open.RequestTime, RequestedTTL: open.TTL, RenewRequest: open.RenewRequest, Revocation: open.Revocation}
	log.FromContext(ctx).Info("published a certificate", "secret", ref.Namespace+"/"+ref.Name,
		"fingerprint", open.Issued.Fingerprint(), "serialNumber", open.Issued.SerialNumber(), "notAfter", timing.Stamp(open.Issued.NotAfter()))
	schedule := c.scheduleAfter(l, in, certificate)
	var formerErr error
	if !l.Published.Exists() || !l.Published.At(l.Target.Place) {
		formerErr = c.secrets.RemoveOutOfReach(ctx, l.Published)
	}
	return outcomeOf(report.Credential{
		SecretRef: ref, Usable: true, Published: certificate, Schedule: schedule, UpToDate: true, Server: l.Target.Server,
	}, l.Target.Notice, formerErr, timing.Earliest(l.Now, schedule.RenewalTime))
}

// wanted is the Secret that the spec asks for.
func (c *credential) wanted(l look.Look) secret.Wanted {
	return secret.Wanted{Identity: l.Identity, Place: l.Target.Place, Parameters: l.Target.Parameters}
}
