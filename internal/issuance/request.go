// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/holder"
)

// Request makes a CertificateSigningRequest for key and approves it. What this process made is remembered
// before the API server is asked, so that a lost answer is no lost request.
func (r *Requests) Request(ctx context.Context, identity *v1alpha1.ClientIdentity, order Order, key crypto.Signer) Outcome {
	request, err := certificate.NewRequest(key, order.Subject)
	if err != nil {
		return Outcome{Err: fmt.Errorf("make the certificate request: %w", err)}
	}
	open := &Open{
		Order: order, Key: key, RequestTime: r.clock.Now(), request: request,
		// The random part keeps others from taking the name first.
		csrName: identity.Name + "-" + strings.ToLower(rand.Text()[:10]),
	}
	r.open.put(identity.Name, identity.UID, open)
	r.keys.forget(identity.Name)
	return r.submit(ctx, identity, open)
}

// submit creates the CertificateSigningRequest, or finds out that it was created before.
func (r *Requests) submit(ctx context.Context, identity *v1alpha1.ClientIdentity, open *Open) Outcome {
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: dependent.Meta(identity, client.ObjectKey{Name: open.csrName}),
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           open.request,
			SignerName:        open.SignerName,
			ExpirationSeconds: ptr.To(int32(open.TTL / time.Second)),
			Usages:            holder.Usages,
		},
	}
	err := r.client.Create(ctx, csr)
	switch {
	case apierrors.IsAlreadyExists(err):
		// The answer to an earlier try was lost, or somebody guessed the random name.
		if err := r.live.Get(ctx, client.ObjectKey{Name: open.csrName}, csr); err != nil {
			return Outcome{Err: fmt.Errorf("read CertificateSigningRequest %q: %w", open.csrName, err)}
		}
		if !bytes.Equal(csr.Spec.Request, open.request) {
			return r.fail(identity, open, v1alpha1.ReasonRequestLost, "a CertificateSigningRequest of the name chosen for this one exists already")
		}
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return r.fail(identity, open, v1alpha1.ReasonRequestRejected, fmt.Sprintf("the API server rejects the certificate request: %v", err))
	case err != nil:
		// It may have been created all the same: the next pass tries the same name with the same request.
		return unavailable(open, "create the CertificateSigningRequest", err)
	}
	open = r.open.step(identity, open, func(o *Open) { o.csrUID = csr.UID })
	log.FromContext(ctx).Info("requested a certificate", "certificateSigningRequest", klog.KObj(csr))
	if _, refused := r.approve(ctx, identity, open, csr); refused != nil {
		return *refused
	}
	return Outcome{Quiet: true, Next: open.RequestTime.Add(quietTime)}
}

// approve approves csr if it is exactly the request that this process made: its UID, request, signer and usages. It
// returns the request as it is then, and what is in the way, or nil.
func (r *Requests) approve(
	ctx context.Context, identity *v1alpha1.ClientIdentity, open *Open, csr *certificatesv1.CertificateSigningRequest,
) (*Open, *Outcome) {
	lost := func(message string) (*Open, *Outcome) {
		return open, ptr.To(r.fail(identity, open, v1alpha1.ReasonRequestLost, message))
	}
	if csr.UID != open.csrUID || !bytes.Equal(csr.Spec.Request, open.request) ||
		csr.Spec.SignerName != open.SignerName || !slices.Equal(csr.Spec.Usages, holder.Usages) {
		return lost("the CertificateSigningRequest is not the one that was made")
	}
	if err := certificate.VerifyRequest(csr.Spec.Request, open.Subject, open.Key.Public()); err != nil {
		return lost(fmt.Sprintf("the CertificateSigningRequest is not the one that was planned: %v", err))
	}
	if condition(csr, certificatesv1.CertificateApproved) != nil || condition(csr, certificatesv1.CertificateDenied) != nil {
		return open, nil // somebody decided, while the answer to its creation was lost
	}
	approved := csr.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    certificatesv1.CertificateApproved,
		Status:  corev1.ConditionTrue,
		Reason:  "ClientIdentityRequested",
		Message: fmt.Sprintf("Requested by ClientIdentity %q", identity.Name),
	})
	err := r.client.SubResource("approval").Update(ctx, approved)
	switch {
	case apierrors.IsForbidden(err):
		// The request stays open: it is approved as soon as the right is granted.
		return open, ptr.To(delay(open, v1alpha1.ReasonApprovalForbidden,
			fmt.Sprintf("the operator may not approve requests for signer %q: grant its ServiceAccount approve on signers with this resourceName", open.SignerName)))
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		// Somebody denied, approved or deleted it: the watch brings what they did.
		return open, nil
	case err != nil:
		return open, ptr.To(unavailable(open, "approve the CertificateSigningRequest", err))
	}
	return r.open.step(identity, open, func(o *Open) { o.approved = true }), nil
}

// unavailable says that the API server did not answer, or answered that it cannot now. The request stays open:
// its next step is tried again after a while. An operator that is being stopped records nothing.
func unavailable(open *Open, doing string, err error) Outcome {
	if errors.Is(err, context.Canceled) {
		return Outcome{Err: fmt.Errorf("%s: %w", doing, err)}
	}
	return delay(open, v1alpha1.ReasonUnavailable, fmt.Sprintf("%s: %v", doing, err))
}
