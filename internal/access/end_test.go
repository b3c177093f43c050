// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestEnd(t *testing.T) {
	deleting := &Ending{v1alpha1.ReasonDeleting, "the identity is being deleted"}
	byState := &Ending{v1alpha1.ReasonWithdrawnByState, "spec.state is Withdrawn"}
	ended := &Ending{v1alpha1.ReasonAccessEnded, "spec.accessUntil (2026-12-01T08:00:00Z) has passed"}

	for name, test := range map[string]struct {
		given *v1alpha1.ClientIdentity
		want  *Ending
	}{
		"an active one has access":                       {given: identity()},
		"so has one until the last moment of its access": {given: identity(until(now.Add(1)))},
		"it ends at accessUntil":                         {identity(until(now)), ended},
		"it says so in UTC":                              {identity(until(now.In(time.FixedZone("", 3600)))), ended},
		"it ends when withdrawn":                         {identity(withdrawn), byState},
		"it ends when deleted":                           {identity(beingDeleted), deleting},
		"a deletion is told first, since it stays":       {identity(beingDeleted, withdrawn, until(now)), deleting},
		"what somebody decided is told before the time":  {identity(withdrawn, until(now)), byState},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, End(test.given, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
