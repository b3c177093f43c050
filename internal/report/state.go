// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// setState sums the conditions up in one word, and says why.
func setState(status *v1alpha1.ClientIdentityStatus) {
	status.State, status.StateReason = StateOf(status.Conditions)
}

// StateOf returns the state that conditions say, and its reason.
func StateOf(conditions []metav1.Condition) (state v1alpha1.ObservedState, reason string) {
	find := func(conditionType string) *metav1.Condition {
		if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
			return c
		}
		return &metav1.Condition{}
	}
	certificate, ready := find(v1alpha1.ConditionCertificateIssued), find(v1alpha1.ConditionReady)
	withdrawn, stalled := find(v1alpha1.ConditionWithdrawn), find(v1alpha1.ConditionStalled)
	switch {
	case isTrue(withdrawn):
		return v1alpha1.ObservedWithdrawn, withdrawn.Reason
	case certificate.Reason == "" && ready.Reason != "":
		// Nothing is said of a certificate while access is taken away.
		return v1alpha1.ObservedWithdrawing, ready.Reason
	case isTrue(stalled):
		return v1alpha1.ObservedStalled, stalled.Reason
	case isTrue(ready) && isTrue(find(v1alpha1.ConditionCredentialReused)):
		return v1alpha1.ObservedAtRisk, v1alpha1.ReasonDeviceSuspended
	case isTrue(ready) && (fineCertificate(certificate) || certificate.Reason == v1alpha1.ReasonAccessEnding):
		return v1alpha1.ObservedReady, certificate.Reason
	case isTrue(ready):
		return v1alpha1.ObservedAtRisk, certificate.Reason
	case ready.Reason == v1alpha1.ReasonPending || ready.Reason == "":
		return v1alpha1.ObservedPending, ready.Reason
	}
	return v1alpha1.ObservedWaiting, ready.Reason
}
