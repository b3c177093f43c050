// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
)

func TestBindingsThatThereIsNoTimeForAreLeftToTheNextPass(t *testing.T) {
	expired, cancel := context.WithDeadline(t.Context(), time.Time{})
	defer cancel()
	run := application{writer: &Writer{}, identity: &v1alpha1.ClientIdentity{}, plan: access.Plan{Create: make([]access.Binding, 3), Delete: make([]access.Observed, 2)}}
	tally := run.carryOut(expired)
	done := run.outcome(tally, nil, nil)
	known := problem.As(done.Err)
	if tally.left != 5 || known == nil || known.Reason != v1alpha1.ReasonPending || known.Retry != time.Second || done.Stale {
		t.Errorf("%d are left: %+v", tally.left, done)
	}
}

func TestABindingThatLostItsLabelsAndStaysIsLookedForAgain(t *testing.T) {
	for name, test := range map[string]struct {
		leaving access.Observed
		want    time.Duration
	}{
		"a watch tells of one with our labels": {access.Observed{Name: "b", Deleting: true}, 0},
		"nobody tells of one without them":     {access.Observed{Name: "b", Deleting: true, MetadataDrift: true}, time.Minute},
	} {
		run := application{writer: &Writer{SlowLook: time.Minute}, identity: &v1alpha1.ClientIdentity{}, plan: access.Plan{Leaving: []access.Observed{test.leaving}}}
		known := problem.As(run.outcome(run.carryOut(t.Context()), nil, nil).Err)
		if known == nil || known.Reason != v1alpha1.ReasonBindingTerminating || known.Retry != test.want {
			t.Errorf("%s: %+v, want another look after %s", name, known, test.want)
		}
	}
}
