// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

// setConditions computes the conditions of an identity that has access.
func setConditions(status *v1alpha1.ClientIdentityStatus, in Input) {
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionWithdrawn)
	valid := in.Credential.Usable && status.Certificate != nil && status.Certificate.NotAfter != nil && in.Now.Before(status.Certificate.NotAfter.Time)
	if byHolders(in) {
		valid = status.Certificate != nil // of a device
	}
	set := func(t string, ok bool, reason, message string) {
		value := metav1.ConditionFalse
		if ok {
			value = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: t, Status: value, Reason: reason, Message: message, ObservedGeneration: in.Identity.Generation,
		})
	}
	certificateReason, certificateMessage := certificateState(status, in, valid)
	if unrevoked := unrevokedUntil(&in.Identity.Spec, status, in.Now); !unrevoked.IsZero() {
		certificateMessage += fmt.Sprintf("; revokeIssuedBefore does not reach the certificates issued before, valid until %s: "+
			"they keep what the user name is granted, unless bindTo is Credential", timing.Stamp(unrevoked))
	}
	if revived := revivedUntil(&in.Identity.Spec, in.Identity.UID, status, in.Now); !revived.IsZero() {
		certificateMessage += fmt.Sprintf("; certificates issued before the withdrawal have their rights back, until %s: "+
			"raise revokeIssuedBefore, with bindTo: Credential, to end that", timing.Stamp(revived))
	}
	set(v1alpha1.ConditionCertificateIssued, valid, certificateReason, certificateMessage)
	bindingReason, bindingMessage := v1alpha1.ReasonBound, boundMessage(in.Bindings)
	if in.Bindings.Problem != nil {
		bindingReason, bindingMessage = in.Bindings.Problem.Reason, in.Bindings.Problem.Message
	}
	set(v1alpha1.ConditionAccessBound, in.Bindings.Problem == nil, bindingReason, bindingMessage)

	ready := valid && in.Credential.UpToDate && in.Bindings.Problem == nil
	switch {
	case byHolders(in) && (canEnrol(in) || ready) && in.Bindings.Problem == nil:
		ready = true
		set(v1alpha1.ConditionReady, true, readyReason(valid), certificateMessage)
	case ready:
		set(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady, "The credential is published and proven, and every role binding is in place")
	case !valid || !in.Credential.UpToDate:
		set(v1alpha1.ConditionReady, false, certificateReason, certificateMessage)
	default:
		set(v1alpha1.ConditionReady, false, bindingReason, bindingMessage)
	}
	setProgress(status, in, ready)
}

// boundMessage says how many bindings are in place, and which are not because of their time.
func boundMessage(in Bindings) string {
	message := fmt.Sprintf("Role bindings in place: %d", in.Bound)
	if len(in.OutOfTime) > 0 {
		message += fmt.Sprintf("; outside the time of their validFrom and validUntil: %s", strings.Join(in.OutOfTime, ", "))
	}
	return text.Shorten(message, problem.MaxMessage)
}

// setProgress sets the conditions of kstatus. Stalled is what only a person can change; otherwise, while it
// is not ready, the identity is on its way. A valid credential whose renewal is tried again is not.
func setProgress(status *v1alpha1.ClientIdentityStatus, in Input, ready bool) {
	var halted *problem.Problem
	for _, p := range []*problem.Problem{in.Credential.Problem, in.Enrolment.Problem, in.Devices.Problem, in.Bindings.Problem} {
		if p != nil && p.Class == problem.Stalled && halted == nil {
			halted = p
		}
	}
	// What stays is not removed and set again: its lastTransitionTime would move.
	switch {
	case halted != nil:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: halted.Reason, Message: halted.Message, ObservedGeneration: in.Identity.Generation,
		})
	case !ready:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
		why := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: why.Reason, Message: why.Message, ObservedGeneration: in.Identity.Generation,
		})
	default:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
	}
}

// certificateState returns reason and message of the condition CertificateIssued.
func certificateState(status *v1alpha1.ClientIdentityStatus, in Input, valid bool) (reason, message string) {
	c := status.Certificate
	switch {
	case byHolders(in) && valid:
		return deviceState(status, in)
	case byHolders(in):
		return enrolmentState(status, in)
	case valid && in.Credential.Problem != nil:
		return in.Credential.Problem.Reason, fmt.Sprintf("%s (the published certificate is valid until %s)", in.Credential.Problem.Message, timing.Stamp(c.NotAfter.Time))
	case valid && !in.Credential.UpToDate:
		return v1alpha1.ReasonPending, fmt.Sprintf("a new certificate is being issued (the published one is valid until %s)", timing.Stamp(c.NotAfter.Time))
	case valid && in.Credential.Superseded:
		return v1alpha1.ReasonIssuerSuperseded, fmt.Sprintf(
			"Certificate is valid until %s, but newer ones of its signer come from another CA than %q: if the CA is being replaced, request a renewal (annotation %s) before the old one is dropped",
			timing.Stamp(c.NotAfter.Time), c.Issuer, v1alpha1.RenewRequestedAtAnnotation)
	case valid && in.Credential.Schedule.Capped:
		return v1alpha1.ReasonLifetimeCapped, fmt.Sprintf(
			"Certificate is valid until %s; renewing it would gain no time, since certificates end with the signer's CA or with accessUntil", timing.Stamp(c.NotAfter.Time))
	case valid && shortened(c, in.Identity.Spec.TTL.Duration):
		return v1alpha1.ReasonTTLShortened, fmt.Sprintf(
			"Certificate is valid until %s: %s was asked for, and %s was issued; it is renewed in time all the same",
			timing.Stamp(c.NotAfter.Time), in.Identity.Spec.TTL.Duration, c.NotAfter.Sub(cmp.Or(c.NotBefore, c.RequestTime).Time))
	case valid:
		return v1alpha1.ReasonIssued, fmt.Sprintf("Certificate is valid until %s", timing.Stamp(c.NotAfter.Time))
	}
	reason, message = v1alpha1.ReasonPending, "a certificate is being issued"
	if in.Credential.Problem != nil {
		reason, message = in.Credential.Problem.Reason, in.Credential.Problem.Message
	}
	if c != nil && c.NotAfter != nil && !in.Now.Before(c.NotAfter.Time) {
		message = fmt.Sprintf("the certificate expired at %s: %s", timing.Stamp(c.NotAfter.Time), message)
		if in.Credential.Problem == nil {
			reason = v1alpha1.ReasonExpired
		}
	}
	return reason, message
}

// shortened says whether a certificate ends noticeably earlier than the lifetime that the spec asks for. From
// eight hours on, Kubernetes' signer counts from a notBefore five minutes in the past.
func shortened(c *v1alpha1.CertificateStatus, ttl time.Duration) bool {
	if c.RequestTime == nil {
		return false
	}
	tolerance := 30 * time.Second
	if ttl >= 8*time.Hour {
		tolerance += 5 * time.Minute
	}
	return c.NotAfter.Before(&metav1.Time{Time: c.RequestTime.Add(ttl - tolerance)})
}
