// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// follow looks what became of the open request.
func (p *pass) follow(ctx context.Context, open *pendingRequest) (*pendingRequest, error) {
	if open.csrUID == "" {
		// Whether it was created is not known.
		if err := p.lastFailure(); err != nil {
			return nil, err
		}
		return nil, p.submit(ctx, open)
	}
	csr := &certificatesv1.CertificateSigningRequest{}
	if err := p.Get(ctx, client.ObjectKey{Name: open.csrName}, csr); err != nil {
		if apierrors.IsNotFound(err) && open.notServing {
			// Kubernetes' cleaner took it away: ask again, slowly.
			return nil, p.failed(open, v1alpha1.ReasonSignerNotServing, notServing(open.signerName))
		}
		if apierrors.IsNotFound(err) {
			return nil, p.failed(open, v1alpha1.ReasonRequestLost, "the CertificateSigningRequest was deleted before it was signed")
		}
		return nil, fmt.Errorf("read CertificateSigningRequest %q: %w", open.csrName, err)
	}
	if csr.UID != open.csrUID {
		return nil, p.failed(open, v1alpha1.ReasonRequestLost, "the CertificateSigningRequest was replaced by another one")
	}
	if denied := condition(csr, certificatesv1.CertificateDenied); denied != nil {
		return nil, p.failed(open, v1alpha1.ReasonDenied, fmt.Sprintf(
			"the certificate request was denied (%s: %s): change the spec or request a renewal (annotation %s) to ask again",
			denied.Reason, denied.Message, v1alpha1.RenewRequestedAtAnnotation))
	}
	if failed := condition(csr, certificatesv1.CertificateFailed); failed != nil {
		return nil, p.failed(open, v1alpha1.ReasonSignerFailed, fmt.Sprintf("signer %q failed (%s: %s)", open.signerName, failed.Reason, failed.Message))
	}
	if len(csr.Status.Certificate) > 0 {
		return p.accept(ctx, open, csr.Status.Certificate)
	}
	return nil, p.await(ctx, open, csr)
}

// await waits for the signer, after approving the request where that failed before.
func (p *pass) await(ctx context.Context, open *pendingRequest, csr *certificatesv1.CertificateSigningRequest) error {
	if !open.approved && condition(csr, certificatesv1.CertificateApproved) == nil {
		if err := p.approve(ctx, open, csr); err != nil {
			return err
		}
	}
	waited := p.now.Sub(open.issuedAt)
	switch {
	case waited < quietTime:
		p.quiet = true
		p.wakeAt(open.issuedAt.Add(quietTime))
		return nil
	case waited < signerPatience:
		p.wakeAt(open.issuedAt.Add(signerPatience))
		p.noteOpen(open)
		return waitingProblem(v1alpha1.ReasonPending, 0, "waiting for signer %q to sign the certificate request", open.signerName)
	}
	open.notServing = true
	p.noteOpen(open)
	log.FromContext(ctx).V(1).Info("nobody signs", "certificateSigningRequest", klog.KRef("", open.csrName))
	return waitingProblem(v1alpha1.ReasonSignerNotServing, 0, "%s", notServing(open.signerName))
}

func notServing(signer string) string {
	return fmt.Sprintf("signer %q has not signed an approved request for ten minutes: check that somebody serves it "+
		"(on some clusters, EKS among them, nobody serves kubernetes.io/kube-apiserver-client), or set spec.signerName", signer)
}
