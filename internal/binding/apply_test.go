// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	if tally.left != 5 || known == nil || known.Reason != v1alpha1.ReasonPending || known.Retry != untilTheRest || done.Stale {
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

// slowly creates bindings, each of which takes a while.
type slowly struct {
	client.Client
	each time.Duration
}

func (s slowly) Create(context.Context, client.Object, ...client.CreateOption) error {
	time.Sleep(s.each)
	return nil
}

func TestFewBindingsAreWrittenInOnePassHoweverSlowTheAPIServerIs(t *testing.T) {
	for name, test := range map[string]struct {
		each          time.Duration
		wanted, wrote int
	}{
		"few on a slow API server":  {time.Second, fewWrites, fewWrites},
		"many on a slow API server": {time.Second, fewWrites + 1, fewWrites},
		"many on a fast API server": {time.Millisecond, 100, 100},
		"more than anybody waits":   {time.Millisecond, 1000, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "a"}}
				run := application{writer: &Writer{Client: slowly{each: test.each}}, identity: identity}
				for i := range test.wanted {
					run.plan.Create = append(run.plan.Create, access.Binding{Namespace: fmt.Sprint("team-", i), Name: "view"})
				}
				tally := run.carryOut(t.Context())
				if tally.bound != test.wrote || tally.left != test.wanted-test.wrote || tally.err != nil {
					t.Errorf("%d were written and %d are left (%v), want %d of %d", tally.bound, tally.left, tally.err, test.wrote, test.wanted)
				}
			})
		})
	}
}
