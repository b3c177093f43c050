// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
)

// Withdrawal is all that the status of an identity that has no access is computed from.
type Withdrawal struct {
	Identity *v1alpha1.ClientIdentity
	Before   v1alpha1.ClientIdentityStatus
	// Stale says that a cache was behind: what was done is remembered, and what it means is said by the pass that follows.
	Stale bool
	// Ending is why it has no access.
	Ending access.Ending
	// SecretGone says that the Secret that the status speaks of is gone, and CredentialGone that nothing is to be
	// remembered of the published certificate.
	SecretGone, CredentialGone bool
	// EnrolmentGone says that no token of the ServiceAccount that the status speaks of is an invitation any more.
	EnrolmentGone bool
	// Done says that nothing is left.
	Done bool
	// Devices are changes of devices: what was issued to them last.
	Devices []holder.Change
	// Residual is what else grants the holder something, where it was looked up.
	Residual *v1alpha1.ResidualAccess
	// Problem is what keeps the access from ending, or nil.
	Problem *problem.Problem
	Now     time.Time
	// Reach is how far the withdrawal reaches; empty while nobody has found out.
	Reach v1alpha1.RevocationReach
}

// ComputeWithdrawn returns the status of an identity that has no access. The one before is not changed.
func ComputeWithdrawn(in Withdrawal) v1alpha1.ClientIdentityStatus {
	status := *in.Before.DeepCopy()
	status.BoundBindings = 0
	applyDevices(&status, in.Devices, in.Identity, in.Now)
	if in.SecretGone {
		status.SecretRef = nil
	}
	if in.EnrolmentGone {
		status.EnrolmentRef = nil
	}
	if in.CredentialGone {
		status.PublishedSince = nil
		status.Certificate, status.Issuance, status.Server = nil, nil, nil
		for i := range status.Certificates {
			status.Certificates[i].Withdrawn = true
		}
		if status.OtherCertificates != nil {
			status.OtherCertificates.Withdrawn = true
		}
	}
	if in.Residual != nil {
		status.ResidualAccess = in.Residual
	}
	if in.Stale {
		return status
	}
	status.ObservedGeneration = in.Identity.Generation
	if reason := in.Ending.Reason; reason != v1alpha1.ReasonDormant && reason != v1alpha1.ReasonDeleting {
		status.DormantSince = nil // a person has decided: making it active again is another decision
	}
	setReach(&status, in.Reach)
	message := in.Ending.Message
	if in.Done {
		message += ": role bindings and Secret are gone" + deniedMessage(&status, in) + residualMessage(&status, in.Identity.Spec.Username)
	}
	setWithdrawn(&status, in.Identity.Generation, in.Ending.Reason, message, in.Done, in.Problem)
	setState(&status)
	return status
}

// setWithdrawn computes the conditions of an identity that has no access. One that is done has no Ready
// condition: kstatus knows no suspended, and reads Ready=False as in progress for ever.
func setWithdrawn(status *v1alpha1.ClientIdentityStatus, generation int64, reason, message string, done bool, failure *problem.Problem) {
	status.Conditions = keep(status.Conditions, v1alpha1.ConditionWithdrawn, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling)
	if done && failure == nil {
		status.Conditions = keep(status.Conditions, v1alpha1.ConditionWithdrawn)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionWithdrawn, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: generation,
			Message: message,
		})
		return
	}
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionWithdrawn)
	why := message + ": role bindings and Secret are being removed"
	progress := v1alpha1.ReasonWithdrawing
	if failure != nil {
		progress, why = failure.Reason, message+": "+failure.Message
	}
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: progress, Message: why, ObservedGeneration: generation}
	meta.SetStatusCondition(&status.Conditions, condition)
	condition.Type, condition.Status = v1alpha1.ConditionReconciling, metav1.ConditionTrue
	meta.SetStatusCondition(&status.Conditions, condition)
}

// keep returns the conditions of those types.
func keep(conditions []metav1.Condition, types ...string) []metav1.Condition {
	var kept []metav1.Condition
	for _, t := range types {
		if c := meta.FindStatusCondition(conditions, t); c != nil {
			kept = append(kept, *c)
		}
	}
	return kept
}

// deniedMessage says whether the API server denies the certificates.
func deniedMessage(status *v1alpha1.ClientIdentityStatus, in Withdrawal) string {
	switch {
	case status.RevocationReach != v1alpha1.ReachAPIServer:
		return ""
	case !recognizable(in.Identity, status, in.Now):
		return ", and the API server denies every request with those certificates that carry its credential group"
	}
	return ", and the API server denies every request with its certificates"
}

// residualMessage says how much other access is left, and how to see it.
func residualMessage(status *v1alpha1.ClientIdentityStatus, username string) string {
	message := ""
	if status.ResidualAccess != nil && status.ResidualAccess.Total > 0 {
		message = fmt.Sprintf("; %d role bindings of others still grant this user or one of its groups something: see status.residualAccess, "+
			"and kubectl auth can-i --list --as=%q with --as-group for each group", status.ResidualAccess.Total, username)
	}
	if others := status.OtherCertificates; others != nil && others.MoreGroups {
		message += "; certificates that are still valid carry more groups than the status has room for: what others granted to those is not counted"
	}
	return message
}
