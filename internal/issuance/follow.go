// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/timing"
)

// authenticatedGroup is the group that the API server adds to every authenticated user.
const authenticatedGroup = "system:authenticated"

// Follow looks what became of an open request.
func (r *Requests) Follow(ctx context.Context, identity *v1alpha1.ClientIdentity, open *Open) Outcome {
	if !open.Submitted() {
		return r.submit(ctx, identity, open) // whether it was created is not known
	}
	csr := &certificatesv1.CertificateSigningRequest{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: open.csrName}, csr); err != nil {
		if apierrors.IsNotFound(err) && open.notServing {
			// Kubernetes' cleaner took it away: ask again, slowly.
			return r.fail(identity, open, v1alpha1.ReasonSignerNotServing, notServing(open.SignerName))
		}
		if apierrors.IsNotFound(err) {
			return r.fail(identity, open, v1alpha1.ReasonRequestLost, "the CertificateSigningRequest was deleted before it was signed")
		}
		return Outcome{Err: fmt.Errorf("read CertificateSigningRequest %q: %w", open.csrName, err)}
	}
	if csr.UID != open.csrUID {
		return r.fail(identity, open, v1alpha1.ReasonRequestLost, "the CertificateSigningRequest was replaced by another one")
	}
	if denied := condition(csr, certificatesv1.CertificateDenied); denied != nil {
		return r.fail(identity, open, v1alpha1.ReasonDenied, fmt.Sprintf(
			"the certificate request was denied (%s: %s): change the spec or request a renewal (annotation %s) to ask again",
			denied.Reason, denied.Message, v1alpha1.RenewRequestedAtAnnotation))
	}
	if failed := condition(csr, certificatesv1.CertificateFailed); failed != nil {
		return r.fail(identity, open, v1alpha1.ReasonSignerFailed, fmt.Sprintf("signer %q failed (%s: %s)", open.SignerName, failed.Reason, failed.Message))
	}
	if len(csr.Status.Certificate) > 0 {
		return r.accept(ctx, identity, open, csr.Status.Certificate)
	}
	return r.await(ctx, identity, open, csr)
}

// await waits for the signer, after approving the request where that failed before.
func (r *Requests) await(ctx context.Context, identity *v1alpha1.ClientIdentity, open *Open, csr *certificatesv1.CertificateSigningRequest) Outcome {
	if !open.approved && condition(csr, certificatesv1.CertificateApproved) == nil {
		var refused *Outcome
		if open, refused = r.approve(ctx, identity, open, csr); refused != nil {
			return *refused
		}
	}
	switch waited := r.clock.Now().Sub(open.RequestTime); {
	case waited < quietTime:
		return Outcome{Quiet: true, Next: open.RequestTime.Add(quietTime)}
	case waited < signerPatience:
		return Outcome{
			Waiting: open.csrName, Next: open.RequestTime.Add(signerPatience),
			Err: problem.NewWaiting(v1alpha1.ReasonPending, 0, "waiting for signer %q to sign the certificate request", open.SignerName),
		}
	}
	r.open.step(identity, open, func(o *Open) { o.notServing = true })
	log.FromContext(ctx).V(1).Info("nobody signs", "certificateSigningRequest", klog.KRef("", open.csrName))
	return Outcome{Waiting: open.csrName, Err: problem.NewWaiting(v1alpha1.ReasonSignerNotServing, 0, "%s", notServing(open.SignerName))}
}

func notServing(signer string) string {
	return fmt.Sprintf("signer %q has not signed an approved request for ten minutes: check that somebody serves it "+
		"(on some clusters, EKS among them, nobody serves kubernetes.io/kube-apiserver-client), or set spec.signerName", signer)
}

// accept checks what the signer issued and proves it by calling the API server with it.
func (r *Requests) accept(ctx context.Context, identity *v1alpha1.ClientIdentity, open *Open, chain []byte) Outcome {
	reject := func(reason, format string, args ...any) Outcome {
		return r.fail(identity, open, reason, fmt.Sprintf(format, args...))
	}
	now := r.clock.Now()
	issued, err := certificate.ParseIssued(chain)
	if err != nil {
		return reject(v1alpha1.ReasonCertificateRejected, "signer %q issued something that is no certificate: %v", open.SignerName, err)
	}
	if begin := issued.NotBefore(); now.Before(begin) && begin.Sub(now) <= timing.ClockSkew {
		return begins(open, begin)
	}
	if err := issued.Check(open.Key.Public(), open.Subject, now); err != nil {
		return reject(v1alpha1.ReasonCertificateRejected, "signer %q issued another certificate than was asked for: %v", open.SignerName, err)
	}
	if until := identity.Spec.AccessUntil; until != nil && issued.NotAfter().After(until.Time) {
		return reject(v1alpha1.ReasonOutlivesAccess, "signer %q issued a certificate until %s, after accessUntil (%s): it is discarded",
			open.SignerName, timing.Stamp(issued.NotAfter()), timing.Stamp(until.Time))
	}
	keyPEM, err := certificate.EncodeKey(open.Key)
	if err != nil {
		return Outcome{Err: fmt.Errorf("encode the private key: %w", err)}
	}
	user, err := r.prover.WhoAmI(ctx, issued.ChainPEM, keyPEM)
	switch {
	case apierrors.IsForbidden(err) && now.Sub(open.RequestTime) < quietTime:
		// Denied as that of a deleted identity: the replica that the API server asked (docs/guides/deny.md) hears of a new one in a moment.
		return Outcome{Quiet: true, Next: now.Add(proofRetry)}
	case apierrors.IsUnauthorized(err) && now.Sub(issued.NotBefore()) < quietTime:
		// It has only just begun: the API server's clock may be behind ours.
		return begins(open, issued.NotBefore().Add(quietTime))
	case apierrors.IsUnauthorized(err):
		return reject(v1alpha1.ReasonNotAccepted,
			"the API server does not accept certificates of signer %q (issuer %q): its CA must be in the API server's --client-ca-file", open.SignerName, issued.Issuer())
	case err != nil:
		// The certificate is kept and proven again.
		return unavailable(open, "prove the new credential", err)
	}
	groups := slices.DeleteFunc(slices.Clone(user.Groups), func(g string) bool { return g == authenticatedGroup })
	if who := (certificate.Subject{Username: user.Username, Groups: groups}); !who.Equal(open.Subject) {
		return reject(v1alpha1.ReasonNotAccepted, "the API server takes the holder of the new certificate for %s instead of %s", who, open.Subject)
	}
	return Outcome{Proven: r.open.step(identity, open, func(o *Open) { o.Issued = issued })}
}

// begins waits for a certificate that is valid in a moment, of a signer that does not back-date, and whose clock is ahead.
func begins(open *Open, at time.Time) Outcome {
	return Outcome{
		Waiting: open.csrName, Next: at,
		Err: problem.NewWaiting(v1alpha1.ReasonPending, 0, "the certificate of signer %q is valid from %s on: it is waited for", open.SignerName, timing.Stamp(at)),
	}
}

// condition returns the condition of that type, or nil.
func condition(csr *certificatesv1.CertificateSigningRequest, t certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range csr.Status.Conditions {
		if csr.Status.Conditions[i].Type == t && csr.Status.Conditions[i].Status != corev1.ConditionFalse {
			return &csr.Status.Conditions[i]
		}
	}
	return nil
}
