// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/review"
	"github.com/clientidentity/operator/internal/text"
)

// approvedReason is the reason of the condition Approved on requests of holders.
const approvedReason = "ClientIdentityEntitled"

// decide decides about one request as the API server has it now: no cache holds all that matters.
func (s *settling) decide(ctx context.Context, name string, uid types.UID) error {
	csr := &certificatesv1.CertificateSigningRequest{}
	if err := s.live.Get(ctx, client.ObjectKey{Name: name}, csr); err != nil {
		return notGone("read", name, err)
	}
	if csr.UID != uid || csr.DeletionTimestamp != nil || len(csr.Status.Conditions) > 0 || len(csr.Status.Certificate) > 0 {
		return nil // the watch brings what it is now
	}
	decision := s.judge(csr, nil)
	if decision.Verdict == holder.AskImpersonation {
		missing, err := s.reviewer.Missing(ctx, makerOf(csr), review.Acting(s.given.Identity))
		if err != nil {
			return err
		}
		decision = s.judge(csr, ptr.To(len(missing) == 0))
	}
	switch decision.Verdict {
	case holder.Denied:
		return s.refuse(ctx, csr, decision)
	case holder.Approvable:
		s.note(decision)
	case holder.Approved:
		return s.approve(ctx, csr, decision)
	}
	return nil
}

// makerOf returns who made a request, as the API server wrote it into it.
func makerOf(csr *certificatesv1.CertificateSigningRequest) authenticationv1.UserInfo {
	user := authenticationv1.UserInfo{Username: csr.Spec.Username, UID: csr.Spec.UID, Groups: csr.Spec.Groups}
	if len(csr.Spec.Extra) > 0 {
		user.Extra = map[string]authenticationv1.ExtraValue{}
		for key, values := range csr.Spec.Extra {
			user.Extra[key] = authenticationv1.ExtraValue(values)
		}
	}
	return user
}

// note remembers an approval: the next pass gives it, once the API server has it. What entitles counts once, so that one of a device
// is noted at a time.
func (s *settling) note(decision holder.Decision) {
	if s.noted[decision.Device] || !holder.Room(s.status, *decision.Approve) {
		return // a new ServiceAccount makes room
	}
	s.noted[decision.Device] = true
	s.change(holder.Change{Approval: decision.Approve})
}

// refuse denies a request. A suspension is written first: a request that was denied is never looked at again.
func (s *settling) refuse(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, decision holder.Decision) error {
	if decision.Suspend && !suspended(&s.given.Identity.Status, decision.Device) {
		if !suspended(s.status, decision.Device) {
			s.change(holder.Change{Suspension: &holder.Suspension{Device: decision.Device, Message: fmt.Sprintf(
				"a certificate that it had renewed already was used to renew again, by CertificateSigningRequest %q: somebody has a copy of its key", csr.Name)}})
		}
		return nil
	}
	if same, err := s.same(ctx); !same {
		return err
	}
	err := s.conclude(ctx, csr, certificatesv1.CertificateDenied, decision.Reason, decision.Message)
	if apierrors.IsForbidden(err) && csr.Spec.SignerName != s.given.Identity.Spec.SignerName {
		s.remembered.add(s.given.Identity.Name, csr.UID)
		s.done.LeftAlone = append(s.done.LeftAlone, LeftAlone{Name: csr.Name, SignerName: csr.Spec.SignerName, Message: decision.Message})
		return nil
	}
	if err == nil {
		log.FromContext(ctx).Info("denied a request", "certificateSigningRequest", klog.KObj(csr), "device", decision.Device, "reason", decision.Reason)
	}
	return s.settled(csr, err)
}

func suspended(status *v1alpha1.ClientIdentityStatus, device string) bool {
	return slices.ContainsFunc(status.Devices, func(d v1alpha1.Device) bool { return d.Name == device && d.State == v1alpha1.DeviceSuspended })
}

// approve approves a request whose approval the API server has in the status.
func (s *settling) approve(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, decision holder.Decision) error {
	if same, err := s.same(ctx); !same {
		return err
	}
	err := s.conclude(ctx, csr, certificatesv1.CertificateApproved, approvedReason,
		fmt.Sprintf("Requested by %q for device %q of ClientIdentity %q", csr.Spec.Username, decision.Device, s.given.Identity.Name))
	if err == nil {
		log.FromContext(ctx).Info("approved a request", "certificateSigningRequest", klog.KObj(csr), "device", decision.Device)
	}
	return s.settled(csr, err)
}

// conclude puts a condition on a request that was read live. It fails where somebody has changed the request since.
func (s *settling) conclude(
	ctx context.Context, csr *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType, reason, message string,
) error {
	concluded := csr.DeepCopy()
	concluded.Status.Conditions = append(concluded.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: text.Shorten(message, problem.MaxMessage),
	})
	return s.client.SubResource("approval").Update(ctx, concluded)
}

// settled returns what is in the way of an approval or a denial.
func (s *settling) settled(csr *certificatesv1.CertificateSigningRequest, err error) error {
	switch {
	case apierrors.IsConflict(err):
		return nil // somebody decided, or changed it: the watch brings that
	case apierrors.IsForbidden(err):
		return problem.NewTransient(v1alpha1.ReasonApprovalForbidden,
			"the operator may not approve requests for signer %q: grant its ServiceAccount approve on signers with this resourceName", csr.Spec.SignerName).Again(forbiddenRetry)
	}
	return notGone("decide about", csr.Name, err)
}

func notGone(doing, name string, err error) error {
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("%s CertificateSigningRequest %q: %w", doing, name, err)
}
