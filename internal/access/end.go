// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// Ending is why an identity has no access.
type Ending struct {
	// Reason is the one of the condition Withdrawn; Message continues it for people.
	Reason, Message string
}

// End returns why an identity has no access at now, or nil where it has. A deletion timestamp is one of the reasons:
// repairing dependents would fight the garbage collector in a foreground deletion, and somebody else's finalizer would
// keep the access alive.
func End(id *v1alpha1.ClientIdentity, now time.Time) *Ending {
	switch {
	case !id.DeletionTimestamp.IsZero():
		return &Ending{v1alpha1.ReasonDeleting, "the identity is being deleted"}
	case id.Spec.State == v1alpha1.StateWithdrawn:
		return &Ending{v1alpha1.ReasonWithdrawnByState, "spec.state is Withdrawn"}
	case id.Spec.AccessUntil != nil && !now.Before(id.Spec.AccessUntil.Time):
		return &Ending{v1alpha1.ReasonAccessEnded, fmt.Sprintf("spec.accessUntil (%s) has passed", timing.Stamp(id.Spec.AccessUntil.Time))}
	case withdrawnAsDormant(id):
		return &Ending{v1alpha1.ReasonDormant, fmt.Sprintf(
			"nobody has used it since %s: set spec.whenDormant to Report to make it active again", timing.Stamp(id.Status.DormantSince.Time))}
	}
	return nil
}
