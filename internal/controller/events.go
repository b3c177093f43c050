// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Events about cluster-scoped objects live in the namespace default.
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,namespace=default,verbs=create;patch

// Reasons of events that tell of no condition.
const (
	eventIssued  = "Issued"
	eventRenewed = "Renewed"
	eventBound   = "Bound"
)

// Actions of events: what the operator was doing.
const (
	actionIssue    = "Issue"
	actionBind     = "Bind"
	actionWithdraw = "Withdraw"
)

// recordEvents records what changed between the status that was read and the one that was written: one
// event for a transition, none for a pass that changed nothing.
func (p *pass) recordEvents() {
	before, after := &p.identity.Status, &p.status
	if c := after.Certificate; c != nil && (before.Certificate == nil || before.Certificate.Fingerprint != c.Fingerprint) {
		reason := eventRenewed
		if before.Certificate == nil {
			reason = eventIssued
		}
		p.Events.Eventf(p.identity, nil, corev1.EventTypeNormal, reason, actionIssue,
			"Published certificate %s, valid until %s, in Secret %s/%s", c.SerialNumber, stamp(c.NotAfter.Time), after.SecretRef.Namespace, after.SecretRef.Name)
	}
	p.recordTransition(v1alpha1.ConditionCertificateIssued, actionIssue, func(c *metav1.Condition) bool {
		switch c.Reason {
		case v1alpha1.ReasonIssued, v1alpha1.ReasonTTLShortened, v1alpha1.ReasonLifetimeCapped, v1alpha1.ReasonPending:
			return true
		}
		return false
	}, "")
	p.recordTransition(v1alpha1.ConditionAccessBound, actionBind, func(c *metav1.Condition) bool {
		return c.Status == metav1.ConditionTrue
	}, eventBound)
	p.recordTimedBindings()
	now := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionWithdrawn)
	if now != nil && meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionWithdrawn) == nil {
		p.Events.Eventf(p.identity, nil, corev1.EventTypeNormal, now.Reason, actionWithdraw, "%s", note(now))
	}
}

// maxNote bounds the note of an event: the API server refuses a longer one (k8s.io/api/events/v1, Event.note).
const maxNote = 1024

// note returns what an event says of a condition.
func note(c *metav1.Condition) string { return cut(c.Message, maxNote) }

// recordTransition records a warning where a condition has come to a reason that is not fine, and, where
// recovered is set, that it is fine again.
func (p *pass) recordTransition(conditionType, action string, fine func(*metav1.Condition) bool, recovered string) {
	before := meta.FindStatusCondition(p.identity.Status.Conditions, conditionType)
	after := meta.FindStatusCondition(p.status.Conditions, conditionType)
	switch {
	case after == nil || (before != nil && before.Reason == after.Reason):
	case !fine(after):
		p.Events.Eventf(p.identity, nil, corev1.EventTypeWarning, after.Reason, action, "%s", note(after))
	case recovered != "" && before != nil && !fine(before):
		p.Events.Eventf(p.identity, nil, corev1.EventTypeNormal, recovered, action, "%s", note(after))
	}
}

// recordTimedBindings records that bindings came or went with their time: the spec is the same as before, and so
// is the condition.
func (p *pass) recordTimedBindings() {
	before := meta.FindStatusCondition(p.identity.Status.Conditions, v1alpha1.ConditionAccessBound)
	after := meta.FindStatusCondition(p.status.Conditions, v1alpha1.ConditionAccessBound)
	if before == nil || after == nil || before.Reason != after.Reason || before.Message == after.Message ||
		after.Status != metav1.ConditionTrue || p.identity.Status.ObservedGeneration != p.identity.Generation {
		return
	}
	p.Events.Eventf(p.identity, nil, corev1.EventTypeNormal, eventBound, actionBind, "%s", note(after))
}
