// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests/approval,verbs=update
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=signers,resourceNames=kubernetes.io/kube-apiserver-client,verbs=approve

// signerPatience is how long a signer may take before the identity says that nobody serves it.
const signerPatience = 10 * time.Minute

// usages are the key usages asked for: client auth is what the API server requires, digital signature is
// what a TLS client does with the key (RFC 5246, 7.4.8; RFC 8446, 4.4.2).
var usages = []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}

// open makes a CertificateSigningRequest for key and approves it. What this process made is remembered
// before the API server is asked, so that a lost answer is no lost request.
func (p *pass) open(ctx context.Context, request *pendingRequest) error {
	var err error
	if request.request, err = certificate.NewRequest(request.key, request.subject); err != nil {
		return fmt.Errorf("make the certificate request: %w", err)
	}
	// The random part keeps others from taking the name first.
	request.csrName = p.identity.Name + "-" + rand.String(10)
	request.issuedAt = p.now
	p.pending.put(p.identity.Name, p.identity.UID, request)
	return p.submit(ctx, request)
}

// submit creates the CertificateSigningRequest, or finds out that it was created before.
func (p *pass) submit(ctx context.Context, request *pendingRequest) error {
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: p.dependentMeta(client.ObjectKey{Name: request.csrName}),
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           request.request,
			SignerName:        request.signerName,
			ExpirationSeconds: ptr.To(int32(request.requestedTTL / time.Second)),
			Usages:            usages,
		},
	}
	err := p.Create(ctx, csr)
	switch {
	case apierrors.IsAlreadyExists(err):
		// The answer to an earlier try was lost, or somebody guessed the random name.
		if err := p.Live.Get(ctx, client.ObjectKey{Name: request.csrName}, csr); err != nil {
			return fmt.Errorf("read CertificateSigningRequest %q: %w", request.csrName, err)
		}
		if !bytes.Equal(csr.Spec.Request, request.request) {
			return p.failed(request, v1alpha1.ReasonRequestLost, "a CertificateSigningRequest of the name chosen for this one exists already")
		}
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return p.failed(request, v1alpha1.ReasonRequestRejected, fmt.Sprintf("the API server rejects the certificate request: %v", err))
	case err != nil:
		// It may have been created all the same: the next pass tries the same name with the same request.
		return p.unavailable(request, "create the CertificateSigningRequest", err)
	}
	request.csrUID = csr.UID
	log.FromContext(ctx).Info("requested a certificate", "certificateSigningRequest", klog.KObj(csr))
	return p.approve(ctx, request, csr)
}

// approve approves csr if it is exactly the request that this process made: its UID, request, signer and usages.
func (p *pass) approve(ctx context.Context, request *pendingRequest, csr *certificatesv1.CertificateSigningRequest) error {
	if csr.UID != request.csrUID || !bytes.Equal(csr.Spec.Request, request.request) ||
		csr.Spec.SignerName != request.signerName || !slices.Equal(csr.Spec.Usages, usages) {
		return p.failed(request, v1alpha1.ReasonRequestLost, "the CertificateSigningRequest is not the one that was made")
	}
	if err := certificate.VerifyRequest(csr.Spec.Request, request.subject, request.key.Public()); err != nil {
		return p.failed(request, v1alpha1.ReasonRequestLost, fmt.Sprintf("the CertificateSigningRequest is not the one that was planned: %v", err))
	}
	if condition(csr, certificatesv1.CertificateApproved) != nil || condition(csr, certificatesv1.CertificateDenied) != nil {
		return nil // somebody decided, while the answer to its creation was lost
	}
	approved := csr.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    certificatesv1.CertificateApproved,
		Status:  corev1.ConditionTrue,
		Reason:  "ClientIdentityRequested",
		Message: fmt.Sprintf("Requested by ClientIdentity %q", p.identity.Name),
	})
	err := p.SubResource("approval").Update(ctx, approved)
	switch {
	case apierrors.IsForbidden(err):
		// The request stays open: it is approved as soon as the right is granted.
		return p.delayed(request, v1alpha1.ReasonApprovalForbidden,
			fmt.Sprintf("the operator may not approve requests for signer %q: grant its ServiceAccount approve on signers with this resourceName", request.signerName))
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		// Somebody denied, approved or deleted it: the watch brings what they did.
		return nil
	case err != nil:
		return p.unavailable(request, "approve the CertificateSigningRequest", err)
	}
	request.approved = true
	return nil
}

// closeStrays deletes unfinished requests of this identity that this process does not wait for: their keys
// are gone. Finished ones are left to Kubernetes' cleaner.
func (p *pass) closeStrays(ctx context.Context) error {
	var list certificatesv1.CertificateSigningRequestList
	if err := p.List(ctx, &list, client.MatchingFields{indexOwner: string(p.identity.UID)}, client.DisableReadYourWritesConsistency); err != nil {
		return fmt.Errorf("list CertificateSigningRequests: %w", err)
	}
	wanted := p.pending.get(p.identity.UID)
	for i := range list.Items {
		csr := &list.Items[i]
		if finished(csr) || (wanted != nil && wanted.csrName == csr.Name) {
			continue
		}
		if err := p.closeRequest(ctx, csr.Name, csr); err != nil {
			return err
		}
	}
	return nil
}

// closeRequest deletes one unfinished request, if it is still the one that was seen.
func (p *pass) closeRequest(ctx context.Context, name string, seen *certificatesv1.CertificateSigningRequest) error {
	err := p.Delete(ctx, seen, client.Preconditions{UID: &seen.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete CertificateSigningRequest %q: %w", name, err)
	}
	return nil
}

// abandon gives the open request up: the spec asks for something else by now.
func (p *pass) abandon(ctx context.Context, request *pendingRequest) error {
	p.pending.forget(p.identity.Name)
	if request.csrUID == "" || request.issued != nil {
		return nil
	}
	csr := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: request.csrName, UID: request.csrUID}}
	return p.closeRequest(ctx, request.csrName, csr)
}

// finished says whether nothing more will happen to a request by itself.
func finished(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) > 0 ||
		condition(csr, certificatesv1.CertificateDenied) != nil || condition(csr, certificatesv1.CertificateFailed) != nil
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
