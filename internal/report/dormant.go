// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// setDormant says whether nobody uses an identity that has access. While that is not known, what was said stays.
func setDormant(status *v1alpha1.ClientIdentityStatus, in Input) {
	switch {
	case in.Dormancy.Unknown:
	case in.Dormancy.Since.IsZero():
		status.DormantSince = nil
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionDormant)
	default:
		status.DormantSince = &metav1.Time{Time: in.Dormancy.Since}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionDormant, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUnused, ObservedGeneration: in.Identity.Generation,
			Message: fmt.Sprintf("Nobody has used a certificate of this identity since %s", timing.Stamp(in.Dormancy.Since)),
		})
	}
}

// dormancyEvents returns that nobody uses an identity, once.
func dormancyEvents(before, after *v1alpha1.ClientIdentityStatus) []Event {
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionDormant)
	if is == nil || meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionDormant) != nil {
		return nil
	}
	return []Event{{corev1.EventTypeNormal, is.Reason, actionObserve, note(is)}}
}
