// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

// step is something that will happen to an identity by itself.
type step struct {
	at   time.Time
	what string
}

// nextSteps returns what happens next by itself, the first one first. What is overdue comes first.
func nextSteps(id *v1alpha1.ClientIdentity, now time.Time) []step {
	var steps []step
	add := func(at *metav1.Time, format string, args ...any) {
		if at != nil && at.After(now) {
			steps = append(steps, step{at.Time, fmt.Sprintf(format, args...)})
		}
	}
	if access.End(id, now) != nil {
		add(id.Status.OutstandingUntil, "the last certificate that was issued for it ends")
		return steps
	}
	if c := id.Status.Certificate; c != nil && id.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		if c.RenewalTime != nil {
			add(c.RenewalTime, "the operator issues a new certificate, and publishes it")
		} else {
			add(c.NotAfter, "its certificate ends, and renewing it would gain no time")
		}
	}
	for i := range id.Status.Devices {
		steps = append(steps, stepsOfDevice(&id.Status.Devices[i], now)...)
	}
	for i := range id.Spec.RoleBindings {
		add(id.Spec.RoleBindings[i].ValidFrom, "the binding %s begins", id.Spec.RoleBindings[i].Name)
		add(id.Spec.RoleBindings[i].ValidUntil, "the binding %s ends", id.Spec.RoleBindings[i].Name)
	}
	for i := range id.Spec.ClusterRoleBindings {
		add(id.Spec.ClusterRoleBindings[i].ValidFrom, "the binding %s begins", id.Spec.ClusterRoleBindings[i].Name)
		add(id.Spec.ClusterRoleBindings[i].ValidUntil, "the binding %s ends", id.Spec.ClusterRoleBindings[i].Name)
	}
	add(id.Spec.AccessUntil, "access ends: the identity is withdrawn")
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	return steps
}

// stepsOfDevice returns what a device does next. It renews when somebody uses it, so it may be late.
func stepsOfDevice(d *v1alpha1.Device, now time.Time) []step {
	switch end := timing.Value(d.NotAfter); {
	case !active(d) || !end.After(now):
		return nil
	case d.RenewalTime == nil:
		return []step{{end, fmt.Sprintf("the certificate of device %s ends, and is not renewed", d.Name)}}
	case d.RenewalTime.After(now):
		return []step{{d.RenewalTime.Time, fmt.Sprintf("device %s renews its certificate, when it is used", d.Name)}}
	default:
		return []step{{d.RenewalTime.Time, fmt.Sprintf("device %s renews when it is used; its certificate ends %s", d.Name, When(end, now))}}
	}
}

// obstacle is what is in the way of an identity.
type obstacle struct {
	// what is a reason, or a device; message says more; advice what to do, in lines.
	what, message string
	advice        []string
}

// obstacles returns what is in the way of an identity, the most urgent first.
func obstacles(id *v1alpha1.ClientIdentity, now time.Time) []obstacle {
	var found []obstacle
	if id.Status.ObservedGeneration < id.Generation {
		found = append(found, unseen(id))
	}
	for i := range id.Status.Devices {
		if o := obstacleOfDevice(id, &id.Status.Devices[i], now); o != nil {
			found = append(found, *o)
		}
	}
	told := map[string]bool{v1alpha1.ReasonDeviceSuspended: true} // by the device
	for _, kind := range []string{
		v1alpha1.ConditionCredentialReused, v1alpha1.ConditionCertificateIssued, v1alpha1.ConditionAccessBound,
		v1alpha1.ConditionRevocationComplete, v1alpha1.ConditionStalled, v1alpha1.ConditionReady, v1alpha1.ConditionDormant, v1alpha1.ConditionWithdrawn,
	} {
		i := slices.IndexFunc(id.Status.Conditions, func(c metav1.Condition) bool { return c.Type == kind })
		if i < 0 || told[id.Status.Conditions[i].Reason] {
			continue
		}
		c := &id.Status.Conditions[i]
		text, needed := advice(c.Reason)
		if needed || c.Status == metav1.ConditionFalse {
			told[c.Reason] = true
			found = append(found, obstacle{what: c.Reason, message: c.Message, advice: adviceLines(id, c.Reason, text)})
		}
	}
	if i := id.Status.Issuance; i != nil && i.FailedAttempts > 0 && !told[i.LastFailureReason] {
		found = append(found, obstacle{
			what:    i.LastFailureReason,
			message: fmt.Sprintf("%d attempts to issue failed, the last one %s: %s", i.FailedAttempts, relative(timing.Value(i.LastFailureTime), now), i.LastFailureMessage),
			advice:  adviceLines(id, i.LastFailureReason, troubleshooting()[i.LastFailureReason]),
		})
	}
	return found
}

// unseen is the obstacle that the operator has not looked at the newest spec.
func unseen(id *v1alpha1.ClientIdentity) obstacle {
	return obstacle{
		what:    "NotObserved",
		message: fmt.Sprintf("the operator has not looked at the newest spec yet: the status is about generation %d, and the spec has %d", id.Status.ObservedGeneration, id.Generation),
		advice: []string{
			"Wait some seconds. If that does not end, see whether the operator runs:",
			"kubectl get pods --all-namespaces -l app.kubernetes.io/name=client-identity-operator",
		},
	}
}

// obstacleOfDevice returns what is in the way of a device, or nil.
func obstacleOfDevice(id *v1alpha1.ClientIdentity, d *v1alpha1.Device, now time.Time) *obstacle {
	switch end := timing.Value(d.NotAfter); {
	case d.State == v1alpha1.DeviceSuspended:
		return &obstacle{
			what: "device " + d.Name, message: "suspended: " + d.Message,
			advice: []string{
				"Somebody has a copy of its key. End what both have, and invite the honest one again:",
				fmt.Sprintf("kubectl clientidentity revoke %s --device %s", id.Name, d.Name),
				"kubectl clientidentity invite " + id.Name,
			},
		}
	case active(d) && !end.IsZero() && !end.After(now):
		return &obstacle{
			what: "device " + d.Name, message: fmt.Sprintf("its certificate ended %s: it was not used in time to renew", When(end, now)),
			advice: []string{"If it is still wanted: kubectl clientidentity invite " + id.Name},
		}
	}
	return nil
}

// adviceLines returns what to do about a reason, with a command where one does it.
func adviceLines(id *v1alpha1.ClientIdentity, reason, text string) []string {
	switch reason {
	case v1alpha1.ReasonReadyToEnroll:
		return []string{"kubectl clientidentity invite " + id.Name}
	case v1alpha1.ReasonWithdrawnByState:
		return []string{"To give access again: kubectl clientidentity activate " + id.Name}
	case v1alpha1.ReasonDenied, v1alpha1.ReasonIssuerSuperseded:
		return []string{text, "kubectl clientidentity renew " + id.Name}
	case "":
		return nil
	}
	if text == "" {
		return nil
	}
	return []string{text}
}
