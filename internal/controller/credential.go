// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/renewal"
)

// quietTime is how long a request that was just made is not worth a status write: signers mostly answer at once.
const quietTime = 5 * time.Second

// target is where and how the credential is to be published.
type target struct {
	location   client.ObjectKey
	parameters kubeconfig.Parameters
}

// provide keeps a valid, proven credential published: it issues a certificate where there is a reason to,
// and keeps the Secret as it should be otherwise.
func (p *pass) provide(ctx context.Context) error {
	current, err := p.readPublished(ctx)
	if err != nil {
		return err
	}
	p.published = current.usable()
	reason, message := p.decide(current)
	// Where this is not known, nothing is issued; what is published stays.
	to, err := p.target(ctx)
	if err != nil {
		return err
	}
	p.upToDate = p.untrusted.IsZero() && (reason == "" || reason == renewal.RenewalDue || reason == renewal.RenewRequested)
	if err := p.dropOutdated(ctx); err != nil {
		return err
	}
	request, issueErr := p.issue(ctx, current, reason, message)
	if request != nil {
		return p.publish(ctx, to, current, request)
	}
	// The published credential is kept in order, whatever becomes of the next one.
	if current.usable() {
		if err := p.refresh(ctx, to, current); err != nil {
			return err
		}
	}
	if issueErr == nil && !p.untrusted.IsZero() {
		return transientProblem(v1alpha1.ReasonIssuerNotTrusted, "the API server no longer accepts certificates of %q: a new one is issued at %s",
			p.status.Certificate.Issuer, stamp(p.untrusted))
	}
	return issueErr
}

// target returns where and how the credential is to be published, or a problem that says what to set.
func (p *pass) target(ctx context.Context) (target, error) {
	location, err := p.secretLocation()
	if err != nil {
		return target{}, err
	}
	parameters, err := p.kubeconfigParameters(ctx)
	return target{location: location, parameters: parameters}, err
}

// decide returns why a certificate is to be issued now, if it is.
func (p *pass) decide(current *published) (renewal.Reason, string) {
	in := renewal.Input{
		Now:                     p.now,
		RenewRequest:            p.identity.Annotations[v1alpha1.RenewRequestedAtAnnotation],
		LastHandledRenewRequest: p.status.LastHandledRenewRequest,
	}
	if p.identity.Spec.AccessUntil != nil {
		in.AccessUntil = &p.identity.Spec.AccessUntil.Time
	}
	if current != nil {
		validity := validityOf(p.status.Certificate)
		in.Published = &renewal.Published{Validity: validity, ContentProblem: current.problem}
		in.RequestChanged = !certificate.SameRequest(current.meta.GetAnnotations()[v1alpha1.RequestHashAnnotation], p.requestHash)
		p.capped = renewal.Capped(validity, previousValidity(&p.status), in.AccessUntil)
		in.Capped = p.capped
		in.RenewalTime = renewal.At(validity, renewal.PolicyOf(&p.identity.Spec), p.seed())
		p.status.Certificate.RenewalTime = nil
		if !p.capped {
			p.status.Certificate.RenewalTime = &metav1.Time{Time: in.RenewalTime}
			p.wakeAt(in.RenewalTime)
		}
		p.wakeAt(validity.NotAfter)
		in.Untrusted = p.judgeIssuer(in.RequestChanged)
	}
	return renewal.Decide(in)
}

// judgeIssuer finds out whether the CA of the published certificate is still in use and still accepted. It says
// whether the certificate is to be issued again now because it is not. One that answers another request than the spec's
// may come from another signer, and tells nothing of the spec's.
func (p *pass) judgeIssuer(answersAnother bool) bool {
	signer, c := p.identity.Spec.SignerName, p.status.Certificate
	if !answersAnother {
		p.issuers.seen(signer, c, p.now)
	}
	if since := p.issuers.superseded(signer, c); !since.IsZero() {
		at := spreadOver(since, p.Options.Spread, p.identity.UID)
		p.superseded = !p.now.Before(at)
		if !p.superseded {
			p.wakeAt(at)
		}
	}
	since := p.issuers.refusedSince(c)
	if since.IsZero() {
		return false
	}
	p.untrusted = spreadOver(since, p.Options.Spread, p.identity.UID)
	if p.now.Before(p.untrusted) {
		p.wakeAt(p.untrusted)
		return false
	}
	return true
}

// seed is what the jitter of the renewal time is computed from.
func (p *pass) seed() string {
	return string(p.identity.UID) + "/" + p.status.Certificate.SerialNumber
}

// dropOutdated gives an open request up that asks for something else than the spec does by now, and
// deletes unfinished requests that nobody waits for.
func (p *pass) dropOutdated(ctx context.Context) error {
	if open := p.pending.get(p.identity.UID); open != nil && open.hash != p.requestHash {
		if err := p.abandon(ctx, open); err != nil {
			return err
		}
	}
	return p.closeStrays(ctx)
}

// issue brings the issuance one step further. It returns the request once its certificate is proven.
func (p *pass) issue(ctx context.Context, current *published, reason renewal.Reason, message string) (*pendingRequest, error) {
	open := p.pending.get(p.identity.UID)
	if open != nil && open.issued != nil && (p.now.After(open.issued.NotAfter()) || p.outlivesAccess(open.issued)) {
		// It waited too long for a place to be published in, or its access ends earlier by now.
		p.pending.forget(p.identity.Name)
		open = nil
	}
	switch {
	case open != nil && open.issued != nil:
		return open, nil
	case open != nil:
		return p.follow(ctx, open)
	case reason == "":
		p.clearFailures()
		return nil, nil
	}
	ttl, err := p.mayRequest(ctx, reason)
	if err != nil || ttl == 0 {
		return nil, err
	}
	key, err := p.keyFor(ctx, current, reason)
	if err != nil {
		return nil, err
	}
	log.FromContext(ctx).Info("issuing a certificate", "reason", reason, "message", message)
	p.quiet = true
	p.wakeAt(p.now.Add(quietTime))
	return nil, p.open(ctx, &pendingRequest{
		key:          key,
		subject:      certificate.SubjectFor(&p.identity.Spec, p.identity.UID),
		signerName:   p.identity.Spec.SignerName,
		requestedTTL: ttl,
		hash:         p.requestHash,
		renewRequest: p.renewRequest(),
	})
}

// mayRequest returns the lifetime to ask for, or what stands in the way of asking now. Zero without an error
// means not yet, and nothing to tell of.
func (p *pass) mayRequest(ctx context.Context, reason renewal.Reason) (time.Duration, error) {
	var accessUntil *time.Time
	if p.identity.Spec.AccessUntil != nil {
		accessUntil = &p.identity.Spec.AccessUntil.Time
		p.wakeAt(*accessUntil)
	}
	ttl, ok := renewal.RequestTTL(p.identity.Spec.TTL.Duration, p.Options.MaxTTL, accessUntil, p.now)
	if !ok {
		return 0, waitingProblem(v1alpha1.ReasonAccessEnding, 0,
			"no certificate is requested in the last ten minutes before accessUntil (%s)", stamp(*accessUntil))
	}
	if signer := p.identity.Spec.SignerName; !slices.Contains(p.Options.AllowedSigners, signer) {
		return 0, stalledProblem(v1alpha1.ReasonSignerNotAllowed,
			"the operator may not ask signer %q for certificates, only %s: set spec.signerName to one of them, or add it to --allowed-signers",
			signer, strings.Join(p.Options.AllowedSigners, ", "))
	}
	location, err := p.secretLocation()
	if err != nil {
		return 0, err
	}
	if err := p.secretNamespace(ctx, location.Namespace); err != nil {
		return 0, err
	}
	if reason == renewal.RenewRequested && p.status.Certificate != nil && p.status.Certificate.IssuedAt != nil {
		// Renew requests come from whoever may annotate: they are not a way to keep the signer busy.
		// One that was asked for in the future is of a clock that was ahead.
		last := p.status.Certificate.IssuedAt.Time
		if earliest := last.Add(renewal.MinimumInterval); !p.now.Before(last) && p.now.Before(earliest) {
			p.wakeAt(earliest)
			return 0, nil
		}
		if slot := p.renewals.slot(p.identity.Name, p.renewRequest(), p.now); p.now.Before(slot) {
			p.wakeAt(slot)
			return 0, nil
		}
	}
	if next := p.nextAllowed(); !next.IsZero() {
		p.wakeAt(next)
		if reason == renewal.RenewalDue || reason == renewal.RenewRequested {
			return 0, nil
		}
		return 0, waitingProblem(v1alpha1.ReasonIssuedTooOften, 0,
			"%d certificates were issued within %s, the next one is at %s: find out what deletes the Secret, or changes the spec, again and again",
			renewal.LimitCertificates, renewal.LimitInterval, stamp(next))
	}
	return ttl, p.lastFailure()
}

// nextAllowed returns when the next certificate may be asked for where too many were; the zero time otherwise.
func (p *pass) nextAllowed() time.Time {
	var notBefore []time.Time
	for i := range p.status.Certificates {
		if begin := p.status.Certificates[i].NotBefore; begin != nil {
			notBefore = append(notBefore, begin.Time)
		}
	}
	if len(notBefore) == 0 {
		return time.Time{}
	}
	issuedAt := notBefore[0].Add(backdating)
	if c := p.status.Certificate; c != nil && c.IssuedAt != nil {
		issuedAt = c.IssuedAt.Time
	}
	return renewal.NextAllowed(issuedAt, notBefore, p.now)
}

// keyFor returns the key for the next certificate: a new one, or the published one where the rotation policy
// says so and it is known to be ours. It reads the Secret live first, so that a stale cache never issues twice.
func (p *pass) keyFor(ctx context.Context, current *published, reason renewal.Reason) (crypto.Signer, error) {
	if p.status.SecretRef != nil {
		if err := p.confirm(ctx, current); err != nil {
			return nil, err
		}
	}
	spec := &p.identity.Spec
	if spec.PrivateKey.RotationPolicy == v1alpha1.RotationNever && current.usable() && current.credential != nil && !p.revoked() &&
		certificate.KeyMatches(spec.PrivateKey, current.credential.key) {
		return current.credential.key, nil
	}
	key, err := certificate.GenerateKey(spec.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("generate a private key (%s): %w", reason, err)
	}
	return key, nil
}

// revoked says whether the published certificate was issued before revokeIssuedBefore, or in the same second, as
// exactly as the status keeps it: in doubt it is revoked.
func (p *pass) revoked() bool {
	revoke, c := p.identity.Spec.RevokeIssuedBefore, p.status.Certificate
	return revoke != nil && (c == nil || c.IssuedAt == nil || !c.IssuedAt.After(revoke.Time))
}

// renewRequest is what to remember of the renew request that the next certificate answers.
func (p *pass) renewRequest() string {
	return renewal.RenewRequestID(p.identity.Annotations[v1alpha1.RenewRequestedAtAnnotation])
}
