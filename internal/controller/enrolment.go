// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
)

// enrolmentOutcome is what was done about the ServiceAccount whose tokens are invitations.
type enrolmentOutcome struct {
	report.Enrolment
	// err is what stands in the way: a problem, or an error that nothing more is known of.
	err   error
	stale bool
}

// enrol keeps the ServiceAccount of an identity whose holders make the keys, and removes that of every other one.
func (r *Reconciler) enrol(ctx context.Context, l look.Look) enrolmentOutcome {
	ref, confirm := l.Status.EnrolmentRef, look.Newest(r.credential.live, l.Identity)
	var err error
	if l.Identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		if err = r.accounts.Remove(ctx, l.Identity, ref, confirm); err == nil || problem.As(err) != nil {
			ref = nil // no token counts any more
		}
	} else {
		ref, err = r.accounts.Keep(ctx, enrolment.Wanted{
			Identity: l.Identity, Namespace: l.Target.Place.Namespace, Accepted: len(l.Status.Invitations),
			Make: l.Obstacle == nil && l.SecretNamespace == nil && l.Target.NotAllowed == nil,
		}, ref, confirm)
	}
	if errors.Is(err, problem.ErrStale) {
		return enrolmentOutcome{Enrolment: report.Enrolment{Ref: ref}, stale: true}
	}
	return enrolmentOutcome{Enrolment: report.Enrolment{Ref: ref, Problem: problem.Of(err)}, err: err}
}

// publishKeyless keeps the Secret of an identity whose holders make the keys. A key of the operator's leaves it at once, and so does a
// request that is open for one; nothing is revoked.
func (c *credential) publishKeyless(ctx context.Context, l look.Look) credentialOutcome {
	requestsErr := c.requests.Drop(ctx, l.Identity)
	if requestsErr == nil {
		requestsErr = c.requests.CloseStrays(ctx, l.Identity)
	}
	c.forget(l.Identity.Name)
	ref, err := c.keepKeyless(ctx, l)
	if err != nil {
		ref = l.Status.SecretRef
	}
	// Whatever stands in the way of the new one: former keys go.
	keysErr := c.secrets.RemoveKeys(ctx, l.Identity, l.Status.SecretRef, l.Target.Place, look.Newest(c.live, l.Identity))
	return outcomeOf(report.Credential{SecretRef: ref, UpToDate: err == nil, Server: l.Target.Server},
		problem.Join(err, requestsErr, l.Target.Notice), keysErr, time.Time{})
}

// keepKeyless keeps the Secret in its place, unless something is in the way of that.
func (c *credential) keepKeyless(ctx context.Context, l look.Look) (*v1alpha1.SecretReference, error) {
	if err := problem.Join(l.Obstacle, l.Target.Err); err != nil {
		return nil, err
	}
	if p := l.Target.InTheWay(); p != nil {
		return nil, p
	}
	if l.SecretNamespace != nil {
		return nil, l.SecretNamespace
	}
	request, err := holder.ParametersFor(l.Identity, c.maxTTL).Encode()
	if err != nil {
		return nil, err
	}
	want := c.wanted(l)
	want.Request = request
	return c.secrets.KeepKeyless(ctx, want, &l.Status)
}
