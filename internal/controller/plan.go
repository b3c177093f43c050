// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/timing"
)

// input gathers what a plan looks at; rights and publishFrom are those of advance.
func (c *credential) input(l look.Look, rights *problem.Problem, publishFrom time.Time) renewal.Input {
	spec := &l.Identity.Spec
	in := renewal.Input{
		Now: l.Now, TTL: spec.TTL.Duration, MaxTTL: c.maxTTL, Policy: renewal.PolicyOf(spec), AccessUntil: timing.Of(spec.AccessUntil),
		SignerName: spec.SignerName, AllowedSigners: c.allowedSigners, Seed: string(l.Identity.UID),
		RenewRequest:            l.Identity.Annotations[v1alpha1.RenewRequestedAtAnnotation],
		LastHandledRenewRequest: l.Status.LastHandledRenewRequest,
		Open:                    openOf(l.Open, l),
		Target:                  l.Target.InTheWay(), Place: l.SecretNamespace, Rights: rights, PublishFrom: publishFrom,
		Issued: renewal.NotBefores(l.Status.Certificates),
	}
	in.RequestTime = renewal.RequestTimeOf(&l.Status)
	in.Failure = renewal.FailureOf(l.Status.Issuance, l.Identity.Generation, renewal.RenewRequestID(in.RenewRequest), l.ValidUntil())
	if l.Published.Exists() {
		in.Published = &renewal.Published{
			Validity: renewal.ValidityOf(l.Status.Certificate), SerialNumber: l.Status.Certificate.SerialNumber, ContentProblem: l.Published.Problem,
			RequestChanged: !certificate.SameRequest(l.Published.RequestHash(), l.RequestHash),
			Revoked:        revokedAlone(l),
		}
		in.Previous = renewal.EarlierValidity(l.Status.Certificates, 1)
		in.Issuer = c.judge(l)
	}
	return in
}

// noteIssuer tells the registry which CA issued the published certificate. One that answers another request than the spec's may
// come from another signer, and tells nothing of the spec's.
func (c *credential) noteIssuer(l look.Look) {
	if l.Published.Exists() && certificate.SameRequest(l.Published.RequestHash(), l.RequestHash) {
		c.issuers.Seen(l.Identity.Spec.SignerName, l.Status.Certificate, l.Now)
	}
}

// judge finds out whether the CA of the published certificate is still in use and still accepted.
func (c *credential) judge(l look.Look) renewal.Issuer {
	published := l.Status.Certificate
	return renewal.Issuer{
		Name:         published.Issuer,
		SupersededAt: c.spread(c.issuers.Superseded(l.Identity.Spec.SignerName, published), l.Identity),
		RefusedAt:    c.spread(c.issuers.RefusedSince(published), l.Identity),
	}
}

// spread returns a moment in the window after since that depends on the identity alone, so that a fleet does not act in
// one burst; zero for zero.
func (c *credential) spread(since time.Time, identity *v1alpha1.ClientIdentity) time.Time {
	if since.IsZero() {
		return since
	}
	return since.Add(timing.Jitter(string(identity.UID), c.window)).Truncate(time.Second)
}

// request asks for a certificate, with a key that is new or, where the rotation policy says so, the published one.
func (c *credential) request(ctx context.Context, l look.Look, plan renewal.Plan) issuance.Outcome {
	key, same, wait := c.keyFor(ctx, l, plan.Reason)
	if wait != nil {
		return *wait
	}
	log.FromContext(ctx).Info("issuing a certificate", "reason", plan.Reason, "message", plan.Message)
	subject := certificate.SubjectFor(&l.Identity.Spec, l.Identity.UID)
	if c.deniable {
		subject = subject.Deniable(l.Identity.UID, timing.Of(l.Identity.Spec.RevokeIssuedBefore))
	}
	return c.requests.Request(ctx, l.Identity, issuance.Order{
		Subject:      subject,
		SignerName:   l.Identity.Spec.SignerName,
		TTL:          plan.TTL,
		Revocation:   timing.Of(l.Identity.Spec.RevokeIssuedBefore),
		SameKey:      same,
		Hash:         l.RequestHash,
		RenewRequest: renewal.RenewRequestID(l.Identity.Annotations[v1alpha1.RenewRequestedAtAnnotation]),
	}, key)
}

// keyFor returns the key for the next certificate: a new one, or the published one where the rotation policy
// says so and it is known to be ours, and whether it is that; or what came of it where there is none. It reads live first, so that a
// stale cache never issues twice.
func (c *credential) keyFor(ctx context.Context, l look.Look, reason renewal.Reason) (key crypto.Signer, same bool, none *issuance.Outcome) {
	policy := l.Identity.Spec.PrivateKey
	if policy.RotationPolicy != v1alpha1.RotationNever {
		if key, none = c.newKey(l, reason); none != nil {
			return nil, false, none
		}
	}
	published, err := c.confirmed(ctx, l)
	if err != nil {
		return nil, false, &issuance.Outcome{Err: err}
	}
	if policy.RotationPolicy == v1alpha1.RotationNever && published.Usable() && published.Credential != nil &&
		!access.Revoked(l.Identity, l.Status.Certificate, l.PublishedGroups()) && !revokedAlone(l) && certificate.KeyMatches(policy, published.Credential.Key) {
		return published.Credential.Key, true, nil
	}
	if key == nil {
		key, none = c.newKey(l, reason)
	}
	return key, false, none
}

// confirmed returns the published credential as it is now, past the cache.
func (c *credential) confirmed(ctx context.Context, l look.Look) (secret.Published, error) {
	if l.Status.SecretRef == nil {
		return l.Published, nil
	}
	published, err := c.secrets.Confirm(ctx, &l.Status, l.Published)
	if err == nil && !l.Published.Cached() {
		// What the cache says of the identity may be old, and a certificate cannot be taken back.
		err = look.Unchanged(ctx, c.live, l.Identity)
	}
	return published, err
}

// newKey returns a new key, or what came of it where there is none yet.
func (c *credential) newKey(l look.Look, reason renewal.Reason) (crypto.Signer, *issuance.Outcome) {
	key, none := c.requests.NewKey(l.Identity)
	if none != nil && none.Err != nil && problem.As(none.Err) == nil {
		none.Err = fmt.Errorf("generate a private key (%s): %w", reason, none.Err)
	}
	return key, none
}

// scheduleAfter returns when a certificate that was just published is renewed.
func (c *credential) scheduleAfter(l look.Look, in renewal.Input, published *report.Certificate) renewal.Schedule {
	in.Issuer = renewal.Issuer{}
	validity := renewal.Validity{
		NotBefore: published.Issued.NotBefore(), NotAfter: published.Issued.NotAfter(),
		RequestTime: published.RequestTime.Truncate(time.Second), Requested: published.RequestedTTL,
	}
	return renewal.ScheduleOf(in, validity, renewal.EarlierValidity(l.Status.Certificates, 0), in.Seed+"/"+published.Issued.SerialNumber())
}

// revokedAlone says whether the spec revokes the published certificate by its fingerprint.
func revokedAlone(l look.Look) bool {
	return l.Status.Certificate != nil && access.RevokedAlone(&l.Identity.Spec, l.Status.Certificate.Fingerprint)
}

// openOf describes an open request for a plan. One with the key of a certificate that is revoked by now is of no use.
func openOf(open *issuance.Open, l look.Look) *renewal.Open {
	if open == nil {
		return nil
	}
	described := &renewal.Open{
		Outdated:    open.Hash != l.RequestHash || (open.SameKey && revokedAlone(l)),
		Unsubmitted: !open.Submitted(),
	}
	if open.Issued != nil {
		described.ProvenUntil = open.Issued.NotAfter()
	}
	return described
}
