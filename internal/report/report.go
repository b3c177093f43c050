// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package report says what there is to say of a pass: it computes the status, its conditions and the events from what was
// known before and what was done. It is pure: values in, values out.
package report

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/history"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/renewal"
)

// Input is all that the status of an identity that has access is computed from.
type Input struct {
	// Identity is as it was read, and Before what is known of it: mostly its status.
	Identity *v1alpha1.ClientIdentity
	Before   v1alpha1.ClientIdentityStatus
	Now      time.Time
	// Stale says that a cache was behind: what was done is remembered, and what it means is said by the pass that follows.
	Stale bool
	// Waits says that a look at all role bindings is awaited: the pass that follows says what that means, too.
	Waits bool

	Bindings   Bindings
	Enrolment  Enrolment
	Credential Credential
	Devices    Devices
	// Dormancy is whether somebody uses it.
	Dormancy access.Dormancy
	// Reach is how far a revocation reaches; empty while nobody has found out.
	Reach v1alpha1.RevocationReach
}

// Bindings is what there is to say of the bindings.
type Bindings struct {
	// Bound is how many are in place.
	Bound int32
	// OutOfTime names those whose time has not come, or is over.
	OutOfTime []string
	// Problem is what stands in the way, or nil.
	Problem *problem.Problem
	// Rights is what certificates still have that a revocation is meant for, or nil.
	Rights *problem.Problem
}

// Credential is what there is to say of the credential.
type Credential struct {
	// SecretRef is the Secret that it is published in; nil where none is.
	SecretRef *v1alpha1.SecretReference
	// Usable says that the credential in it is intact, whether it is still valid or not.
	Usable bool
	// Published is the certificate that this pass published, or nil.
	Published *Certificate
	// Schedule is when the published certificate is renewed.
	Schedule renewal.Schedule
	// UpToDate says that it answers the spec and stands where it should.
	UpToDate bool
	// Superseded says that the signer uses another CA by now.
	Superseded bool
	// Issuance is about the certificate that is being asked for.
	Issuance *v1alpha1.IssuanceStatus
	// Server is what kubeconfigs point at; nil where it was not looked at.
	Server *v1alpha1.ServerStatus
	// Quiet says that a request that was just made waits for its signer: that alone is not worth a status write yet.
	Quiet bool
	// Problem is what stands in the way, or nil.
	Problem *problem.Problem
}

// Certificate is a certificate that was published.
type Certificate struct {
	Issued       *certificate.Issued
	RequestTime  time.Time
	RequestedTTL time.Duration
	// RenewRequest is the RenewRequestID that it answers.
	RenewRequest string
	// Revocation is the revokeIssuedBefore that it was asked with; nil = none.
	Revocation *time.Time
}

// Compute returns the status of an identity that has access. The one before is not changed.
func Compute(in Input) v1alpha1.ClientIdentityStatus {
	if in.Credential.Quiet && in.Credential.Problem == nil && in.Bindings.Problem == nil && !in.Stale {
		// The next pass finds everything again but for where the Secret was moved to.
		status := *in.Before.DeepCopy()
		status.SecretRef = in.Credential.SecretRef
		return status
	}
	status := facts(in)
	if in.Stale || in.Waits {
		return status
	}
	status.ObservedGeneration = in.Identity.Generation
	status.ResidualAccess = nil
	setConditions(&status, in)
	setRevocation(&status, in)
	setDormant(&status, in)
	setReused(&status, in.Identity.Generation, in.Identity.Name)
	setState(&status)
	return status
}

// facts returns the status without what its conditions say.
func facts(in Input) v1alpha1.ClientIdentityStatus {
	status := holder.Published(in.Identity, *in.Before.DeepCopy())
	status.GroupList = groupList(in.Identity.Spec.Groups)
	setEnrolment(&status, in)
	status.BoundBindings = in.Bindings.Bound
	status.SecretRef = in.Credential.SecretRef
	status.Issuance = in.Credential.Issuance
	if in.Credential.Server != nil {
		status.Server = in.Credential.Server
	}
	if in.Credential.Published != nil {
		describe(&status, in.Credential.Published, in.Now)
	}
	applyDevices(&status, in.Devices.Changes, in.Identity, in.Now)
	if byHolders(in) {
		setDeviceCertificate(&status, in.Before.Certificate, in)
	} else if status.Certificate != nil {
		status.Certificate.RenewalTime = nil
		if at := in.Credential.Schedule.RenewalTime; !at.IsZero() {
			status.Certificate.RenewalTime = &metav1.Time{Time: at}
		}
	}
	return status
}

// describe puts a certificate that was published into the status.
func describe(status *v1alpha1.ClientIdentityStatus, published *Certificate, now time.Time) {
	issued := published.Issued
	revision := history.LastRevision(status) + 1
	switch {
	case status.Certificate == nil:
		status.PublishedSince = &metav1.Time{Time: published.RequestTime.Truncate(time.Second)}
	case status.PublishedSince == nil: // of an earlier version
		status.PublishedSince = status.Certificate.RequestTime
	}
	status.Certificate = &v1alpha1.CertificateStatus{
		SerialNumber:   issued.SerialNumber(),
		Fingerprint:    issued.Fingerprint(),
		NotBefore:      &metav1.Time{Time: issued.NotBefore()},
		NotAfter:       &metav1.Time{Time: issued.NotAfter()},
		RequestTime:    &metav1.Time{Time: published.RequestTime.Truncate(time.Second)},
		Issuer:         issued.Issuer(),
		AuthorityKeyID: issued.AuthorityKeyID(),
		RequestedTTL:   &metav1.Duration{Duration: published.RequestedTTL},
		Revision:       revision,
	}
	if published.Revocation != nil {
		status.Certificate.RevokeIssuedBefore = &metav1.Time{Time: published.Revocation.Truncate(time.Second)}
	}
	entry := v1alpha1.IssuedCertificate{
		Revision: revision, Fingerprint: issued.Fingerprint(), SerialNumber: issued.SerialNumber(), Groups: issued.Subject().Groups, Issuer: issued.Issuer(),
		NotBefore: &metav1.Time{Time: issued.NotBefore()}, NotAfter: &metav1.Time{Time: issued.NotAfter()},
		RevokeIssuedBefore: status.Certificate.RevokeIssuedBefore,
	}
	history.Remember(status, entry, now)
	if status.OutstandingUntil == nil || status.OutstandingUntil.Time.Before(issued.NotAfter()) {
		status.OutstandingUntil = &metav1.Time{Time: issued.NotAfter()}
	}
	status.LastHandledRenewRequest = published.RenewRequest
}

// groupList returns groups in one line: kubectl prints only the first element of a list.
func groupList(groups []string) string {
	return strings.Join(slices.Sorted(slices.Values(groups)), ",")
}
