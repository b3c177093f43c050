// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/text"
	"github.com/clientidentity/operator/internal/timing"
)

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
	actionObserve  = "Observe"
	actionRevoke   = "Revoke"
)

// maxNote bounds the note of an event: the API server refuses a longer one (k8s.io/api/events/v1, Event.note).
const maxNote = 1024

// Event is an event about an identity.
type Event struct {
	// Type is Normal or Warning.
	Type string
	// Reason, Action and Note are those of the events.k8s.io API.
	Reason, Action, Note string
}

// Events returns what changed between the status that an identity was read with and the one that was written: one
// event for a transition, none for a pass that changed nothing.
func Events(identity *v1alpha1.ClientIdentity, after *v1alpha1.ClientIdentityStatus) []Event {
	before := &identity.Status
	events := certificateEvents(before, after)
	events = append(events, transition(before, after, v1alpha1.ConditionCertificateIssued, actionIssue, fineCertificate, "")...)
	events = append(events, transition(before, after, v1alpha1.ConditionAccessBound, actionBind, isTrue, eventBound)...)
	events = append(events, timedBindings(identity, after)...)
	events = append(events, revocationEvents(before, after)...)
	events = append(events, dormancyEvents(before, after)...)
	events = append(events, deviceEvents(identity, after)...)
	now := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionWithdrawn)
	if now != nil && meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionWithdrawn) == nil {
		events = append(events, Event{corev1.EventTypeNormal, now.Reason, actionWithdraw, note(now)})
	}
	return events
}

func certificateEvents(before, after *v1alpha1.ClientIdentityStatus) []Event {
	c := after.Certificate
	if c == nil || after.SecretRef == nil || (before.Certificate != nil && before.Certificate.Fingerprint == c.Fingerprint) {
		return nil
	}
	reason := eventRenewed
	if before.Certificate == nil {
		reason = eventIssued
	}
	return []Event{{corev1.EventTypeNormal, reason, actionIssue, fmt.Sprintf(
		"Published certificate %s, valid until %s, in Secret %s/%s", c.SerialNumber, timing.Stamp(c.NotAfter.Time), after.SecretRef.Namespace, after.SecretRef.Name)}}
}

// revocationEvents returns that a revocation is complete, or what keeps it from that, once each.
func revocationEvents(before, after *v1alpha1.ClientIdentityStatus) []Event {
	was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionRevocationComplete)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionRevocationComplete)
	switch {
	case is == nil:
	case isTrue(is) && (was == nil || was.Message != is.Message):
		return []Event{{corev1.EventTypeNormal, is.Reason, actionRevoke, note(is)}}
	case !isTrue(is) && is.Reason != v1alpha1.ReasonPending && (was == nil || was.Reason != is.Reason):
		return []Event{{corev1.EventTypeWarning, is.Reason, actionRevoke, note(is)}}
	}
	return nil
}

// fineCertificate says whether a reason of CertificateIssued needs nobody's attention.
func fineCertificate(c *metav1.Condition) bool {
	switch c.Reason {
	case v1alpha1.ReasonIssued, v1alpha1.ReasonTTLShortened, v1alpha1.ReasonLifetimeCapped, v1alpha1.ReasonPending, v1alpha1.ReasonReadyToEnroll:
		return true
	}
	return false
}

func isTrue(c *metav1.Condition) bool { return c.Status == metav1.ConditionTrue }

// note returns what an event says of a condition.
func note(c *metav1.Condition) string { return text.Shorten(c.Message, maxNote) }

// transition returns a warning where a condition has come to a reason that is not fine, and, where
// recovered is set, that it is fine again. What the user asked for is no warning.
func transition(before, after *v1alpha1.ClientIdentityStatus, conditionType, action string, fine func(*metav1.Condition) bool, recovered string) []Event {
	was, is := meta.FindStatusCondition(before.Conditions, conditionType), meta.FindStatusCondition(after.Conditions, conditionType)
	switch {
	case is == nil || (was != nil && was.Reason == is.Reason):
	case is.Reason == v1alpha1.ReasonAccessEnding:
		return []Event{{corev1.EventTypeNormal, is.Reason, action, note(is)}}
	case !fine(is):
		return []Event{{corev1.EventTypeWarning, is.Reason, action, note(is)}}
	case recovered != "" && was != nil && !fine(was):
		return []Event{{corev1.EventTypeNormal, recovered, action, note(is)}}
	}
	return nil
}

// timedBindings returns that bindings came or went with their time: the spec is the same as before, and so
// is the condition.
func timedBindings(identity *v1alpha1.ClientIdentity, after *v1alpha1.ClientIdentityStatus) []Event {
	was := meta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionAccessBound)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionAccessBound)
	if was == nil || is == nil || was.Reason != is.Reason || was.Message == is.Message ||
		!isTrue(is) || identity.Status.ObservedGeneration != identity.Generation {
		return nil
	}
	return []Event{{corev1.EventTypeNormal, eventBound, actionBind, note(is)}}
}
