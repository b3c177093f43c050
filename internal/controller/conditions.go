// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// conditionInput is all that the conditions are computed from, beside the status itself.
type conditionInput struct {
	generation int64
	now        time.Time
	// ttl is the lifetime that the spec asks for.
	ttl time.Duration
	// credential and binding are what stands in the way, or nil.
	credential, binding *problem
	published, upToDate bool
	capped, superseded  bool
	// unrevoked is until when a certificate is valid that a revocation was meant for but does not reach; zero
	// where there is none.
	unrevoked time.Time
	// revived is until when a certificate is valid that was withdrawn and has its rights back; zero where there is none.
	revived time.Time
	bound   int32
	// outOfTime names the bindings whose time has not come, or is over.
	outOfTime []string
}

// setConditions computes the conditions of an identity that has access.
func setConditions(status *v1alpha1.ClientIdentityStatus, in conditionInput) {
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionWithdrawn)
	valid := in.published && status.Certificate != nil && status.Certificate.NotAfter != nil && in.now.Before(status.Certificate.NotAfter.Time)
	set := func(t string, ok bool, reason, message string) {
		value := metav1.ConditionFalse
		if ok {
			value = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: t, Status: value, Reason: reason, Message: message, ObservedGeneration: in.generation,
		})
	}
	certificateReason, certificateMessage := certificateState(status, in, valid)
	if !in.unrevoked.IsZero() {
		certificateMessage += fmt.Sprintf("; revokeIssuedBefore does not reach the certificates issued before, valid until %s: "+
			"they keep what the user name is granted, unless bindTo is Credential", stamp(in.unrevoked))
	}
	if !in.revived.IsZero() {
		certificateMessage += fmt.Sprintf("; certificates issued before the withdrawal have their rights back, until %s: "+
			"raise revokeIssuedBefore, with bindTo: Credential, to end that", stamp(in.revived))
	}
	set(v1alpha1.ConditionCertificateIssued, valid, certificateReason, certificateMessage)
	bindingReason, bindingMessage := v1alpha1.ReasonBound, boundMessage(in)
	if in.binding != nil {
		bindingReason, bindingMessage = in.binding.reason, in.binding.message
	}
	set(v1alpha1.ConditionAccessBound, in.binding == nil, bindingReason, bindingMessage)

	ready := valid && in.upToDate && in.binding == nil
	switch {
	case ready:
		set(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady, "The credential is published and proven, and every role binding is in place")
	case !valid || !in.upToDate:
		set(v1alpha1.ConditionReady, false, certificateReason, certificateMessage)
	default:
		set(v1alpha1.ConditionReady, false, bindingReason, bindingMessage)
	}
	setProgress(status, in, ready)
}

// backdating is how long before the issuance Kubernetes' signer lets a certificate begin.
const backdating = 5 * time.Minute

// unrevokedUntil returns until when a certificate of an identity is valid that was issued before revokeIssuedBefore but
// is not reached by it, since the bindings name the user; the zero time where there is none.
func unrevokedUntil(spec *v1alpha1.ClientIdentitySpec, status *v1alpha1.ClientIdentityStatus, now time.Time) time.Time {
	var until time.Time
	if spec.RevokeIssuedBefore == nil || spec.BindTo == v1alpha1.BindToCredential || status.Certificate == nil {
		return until
	}
	for i := range status.Certificates {
		c := &status.Certificates[i]
		if c.Fingerprint == status.Certificate.Fingerprint || c.NotBefore == nil || c.NotAfter == nil {
			continue
		}
		meant := c.NotBefore.Add(backdating).Before(spec.RevokeIssuedBefore.Time)
		if meant && c.NotAfter.After(now) && c.NotAfter.After(until) {
			until = c.NotAfter.Time
		}
	}
	return until
}

// boundMessage says how many bindings are in place, and which are not because of their time.
func boundMessage(in conditionInput) string {
	message := fmt.Sprintf("Role bindings in place: %d", in.bound)
	if len(in.outOfTime) > 0 {
		message += fmt.Sprintf("; outside the time of their validFrom and validUntil: %s", strings.Join(in.outOfTime, ", "))
	}
	return shorten(message)
}

// setProgress sets the conditions of kstatus. Stalled is what only a person can change; otherwise, while it
// is not ready, the identity is on its way. A valid credential whose renewal is tried again is not.
func setProgress(status *v1alpha1.ClientIdentityStatus, in conditionInput, ready bool) {
	var halted *problem
	for _, p := range []*problem{in.credential, in.binding} {
		if p != nil && p.class == stalled && halted == nil {
			halted = p
		}
	}
	// What stays is not removed and set again: its lastTransitionTime would move.
	switch {
	case halted != nil:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: halted.reason, Message: halted.message, ObservedGeneration: in.generation,
		})
	case !ready:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
		why := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: why.Reason, Message: why.Message, ObservedGeneration: in.generation,
		})
	default:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
	}
}

// certificateState returns reason and message of the condition CertificateIssued.
func certificateState(status *v1alpha1.ClientIdentityStatus, in conditionInput, valid bool) (reason, message string) {
	c := status.Certificate
	switch {
	case valid && in.credential != nil:
		return in.credential.reason, fmt.Sprintf("%s (the published certificate is valid until %s)", in.credential.message, stamp(c.NotAfter.Time))
	case valid && !in.upToDate:
		return v1alpha1.ReasonPending, fmt.Sprintf("a new certificate is being issued (the published one is valid until %s)", stamp(c.NotAfter.Time))
	case valid && in.superseded:
		return v1alpha1.ReasonIssuerSuperseded, fmt.Sprintf(
			"Certificate is valid until %s, but newer ones of its signer come from another CA than %q: if the CA is being replaced, request a renewal (annotation %s) before the old one is dropped",
			stamp(c.NotAfter.Time), c.Issuer, v1alpha1.RenewRequestedAtAnnotation)
	case valid && in.capped:
		return v1alpha1.ReasonLifetimeCapped, fmt.Sprintf(
			"Certificate is valid until %s; renewing it would gain no time, since certificates end with the signer's CA or with accessUntil", stamp(c.NotAfter.Time))
	case valid && shortened(c, in.ttl):
		return v1alpha1.ReasonTTLShortened, fmt.Sprintf(
			"Certificate is valid until %s: %s was asked for, and %s was issued; it is renewed in time all the same",
			stamp(c.NotAfter.Time), in.ttl, c.NotAfter.Sub(cmp.Or(c.NotBefore, c.IssuedAt).Time))
	case valid:
		return v1alpha1.ReasonIssued, fmt.Sprintf("Certificate is valid until %s", stamp(c.NotAfter.Time))
	}
	reason, message = v1alpha1.ReasonPending, "a certificate is being issued"
	if in.credential != nil {
		reason, message = in.credential.reason, in.credential.message
	}
	if c != nil && c.NotAfter != nil && !in.now.Before(c.NotAfter.Time) {
		message = fmt.Sprintf("the certificate expired at %s: %s", stamp(c.NotAfter.Time), message)
		if in.credential == nil {
			reason = v1alpha1.ReasonExpired
		}
	}
	return reason, message
}

// shortened says whether a certificate ends noticeably earlier than the lifetime that the spec asks for. From
// eight hours on, Kubernetes' signer counts from a notBefore five minutes in the past.
func shortened(c *v1alpha1.CertificateStatus, ttl time.Duration) bool {
	if c.IssuedAt == nil {
		return false
	}
	tolerance := 30 * time.Second
	if ttl >= 8*time.Hour {
		tolerance += 5 * time.Minute
	}
	return c.NotAfter.Before(&metav1.Time{Time: c.IssuedAt.Add(ttl - tolerance)})
}

// setWithdrawn computes the conditions of an identity that has no access. One that is done has no Ready
// condition: kstatus knows no suspended, and reads Ready=False as in progress for ever.
func setWithdrawn(status *v1alpha1.ClientIdentityStatus, generation int64, reason, message string, done bool, failure *problem) {
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
		progress, why = failure.reason, message+": "+failure.message
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
