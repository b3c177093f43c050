// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/renewal"
)

// authenticatedGroup is the group that the API server adds to every authenticated user.
const authenticatedGroup = "system:authenticated"

// maxCertificates bounds status.certificates.
const maxCertificates = 10

// accept checks what the signer issued and proves it by calling the API server with it. It returns the
// request with the proven certificate.
func (p *pass) accept(ctx context.Context, open *pendingRequest, chain []byte) (*pendingRequest, error) {
	issued, err := certificate.ParseIssued(chain)
	if err != nil {
		return nil, p.failed(open, v1alpha1.ReasonCertificateRejected, fmt.Sprintf("signer %q issued something that is no certificate: %v", open.signerName, err))
	}
	if err := issued.Check(open.key.Public(), open.subject, p.now); err != nil {
		return nil, p.failed(open, v1alpha1.ReasonCertificateRejected, fmt.Sprintf("signer %q issued another certificate than was asked for: %v", open.signerName, err))
	}
	if p.outlivesAccess(issued) {
		return nil, p.failed(open, v1alpha1.ReasonOutlivesAccess, fmt.Sprintf("signer %q issued a certificate until %s, after accessUntil (%s): it is discarded",
			open.signerName, stamp(issued.NotAfter()), stamp(p.identity.Spec.AccessUntil.Time)))
	}
	keyPEM, err := certificate.EncodeKey(open.key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	user, err := p.Prover.WhoAmI(ctx, issued.ChainPEM, keyPEM)
	switch {
	case apierrors.IsUnauthorized(err):
		return nil, p.failed(open, v1alpha1.ReasonNotAccepted, fmt.Sprintf(
			"the API server does not accept certificates of signer %q (issuer %q): its CA must be in the API server's --client-ca-file", open.signerName, issued.Issuer()))
	case err != nil:
		// The certificate is kept and proven again.
		return nil, p.unavailable(open, "prove the new credential", err)
	}
	groups := slices.DeleteFunc(slices.Clone(user.Groups), func(g string) bool { return g == authenticatedGroup })
	if who := (certificate.Subject{Username: user.Username, Groups: groups}); !who.Equal(open.subject) {
		return nil, p.failed(open, v1alpha1.ReasonNotAccepted, fmt.Sprintf("the API server takes the holder of the new certificate for %s instead of %s", who, open.subject))
	}
	open.issued = issued
	return open, nil
}

// outlivesAccess says whether a certificate ends after accessUntil: it is not published.
func (p *pass) outlivesAccess(issued *certificate.Issued) bool {
	until := p.identity.Spec.AccessUntil
	return until != nil && issued.NotAfter().After(until.Time)
}

// publish puts a proven credential into the Secret, in one write, and describes it in the status.
func (p *pass) publish(ctx context.Context, to target, current *published, request *pendingRequest) error {
	if err := p.secretNamespace(ctx, to.location.Namespace); err != nil {
		return err
	}
	desired, err := p.desiredSecret(to, &credential{key: request.key, issued: request.issued, issuedAt: request.issuedAt, hash: request.hash})
	if err != nil {
		return err
	}
	whole, cancel := finishing(ctx)
	defer cancel()
	written, err := p.writeSecret(whole, desired, current)
	if err != nil {
		return err
	}
	p.describe(request)
	p.secretWritten(ctx, written)
	p.pending.forget(p.identity.Name)
	p.renewals.forget(p.identity.Name)
	p.clearFailures()
	p.upToDate, p.quiet = true, false
	log.FromContext(ctx).Info("published a certificate", "secret", klog.KObj(written),
		"serialNumber", p.status.Certificate.SerialNumber, "notAfter", stamp(request.issued.NotAfter()))
	return p.removeOtherSecrets(ctx, current)
}

// describe puts the new certificate into the status.
func (p *pass) describe(request *pendingRequest) {
	issued := request.issued
	revision := lastRevision(&p.status) + 1
	p.status.Certificate = &v1alpha1.CertificateStatus{
		SerialNumber:   issued.SerialNumber(),
		Fingerprint:    issued.Fingerprint(),
		NotBefore:      &metav1.Time{Time: issued.NotBefore()},
		NotAfter:       &metav1.Time{Time: issued.NotAfter()},
		IssuedAt:       &metav1.Time{Time: request.issuedAt.Truncate(time.Second)},
		Issuer:         issued.Issuer(),
		AuthorityKeyID: issued.AuthorityKeyID(),
		RequestedTTL:   &metav1.Duration{Duration: request.requestedTTL},
		Revision:       revision,
	}
	entry := v1alpha1.IssuedCertificate{
		Revision: revision, Fingerprint: issued.Fingerprint(), SerialNumber: issued.SerialNumber(), Groups: issued.Subject().Groups, Issuer: issued.Issuer(),
		NotBefore: &metav1.Time{Time: issued.NotBefore()}, NotAfter: &metav1.Time{Time: issued.NotAfter()},
	}
	earlier := slices.DeleteFunc(p.status.Certificates, func(c v1alpha1.IssuedCertificate) bool {
		return c.NotAfter == nil || !p.now.Before(c.NotAfter.Time)
	})
	p.status.Certificates = append([]v1alpha1.IssuedCertificate{entry}, earlier...)
	p.status.Certificates = p.status.Certificates[:min(len(p.status.Certificates), maxCertificates)]
	if p.status.OutstandingUntil == nil || p.status.OutstandingUntil.Time.Before(issued.NotAfter()) {
		p.status.OutstandingUntil = &metav1.Time{Time: issued.NotAfter()}
	}
	p.status.LastHandledRenewRequest = request.renewRequest

	validity := validityOf(p.status.Certificate)
	var accessUntil *time.Time
	if p.identity.Spec.AccessUntil != nil {
		accessUntil = &p.identity.Spec.AccessUntil.Time
	}
	p.capped = renewal.Capped(validity, previousValidity(&p.status), accessUntil)
	if !p.capped {
		at := renewal.At(validity, renewal.PolicyOf(&p.identity.Spec), p.seed())
		p.status.Certificate.RenewalTime = &metav1.Time{Time: at}
		p.wakeAt(at)
	}
	p.wakeAt(issued.NotAfter())
	p.issuers.seen(request.signerName, p.status.Certificate, p.now)
	p.superseded, p.untrusted = false, time.Time{}
}

// validityOf returns the times of the published certificate.
func validityOf(c *v1alpha1.CertificateStatus) renewal.Validity {
	v := renewal.Validity{}
	if c.NotBefore != nil {
		v.NotBefore = c.NotBefore.Time
	}
	if c.NotAfter != nil {
		v.NotAfter = c.NotAfter.Time
	}
	if c.IssuedAt != nil {
		v.IssuedAt = c.IssuedAt.Time
	}
	if c.RequestedTTL != nil {
		v.Requested = c.RequestedTTL.Duration
	}
	return v
}

// previousValidity returns the times of the certificate before the published one, or nil.
func previousValidity(status *v1alpha1.ClientIdentityStatus) *renewal.Validity {
	if len(status.Certificates) < 2 || status.Certificates[1].NotBefore == nil || status.Certificates[1].NotAfter == nil {
		return nil
	}
	previous := status.Certificates[1]
	return &renewal.Validity{NotBefore: previous.NotBefore.Time, NotAfter: previous.NotAfter.Time}
}

// errStale says that the cache is behind what the API server has: another look follows soon.
var errStale = errors.New("the cache is behind the API server")
