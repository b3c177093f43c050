// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// slowly writes bindings, each of which takes a while, and refuses to make some.
type slowly struct {
	client.Client
	each             time.Duration
	refuse           func(namespace string) bool
	created, deleted int
}

func (s *slowly) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	time.Sleep(s.each)
	if s.refuse != nil && s.refuse(object.GetNamespace()) {
		return apierrors.NewForbidden(rbacv1.Resource("rolebindings"), object.GetName(), errors.New("exceeded quota"))
	}
	s.created++
	return nil
}

func (s *slowly) Delete(context.Context, client.Object, ...client.DeleteOption) error {
	time.Sleep(s.each)
	s.deleted++
	return nil
}

// removing returns a binding that grants, and is not wanted any more.
func removing(namespace string) access.Observed {
	who := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "alice"}}
	return access.Observed{Namespace: namespace, Name: "admin", UID: "u", Owned: true, Subjects: who}
}

// applying returns an application for so many new bindings, and for the removal of so many.
func applying(api client.Client, creations, removals int) *application {
	run := &application{writer: &Writer{Client: api, SlowLook: time.Minute}, identity: &v1alpha1.ClientIdentity{}, observed: observations{}}
	for i := range creations {
		run.plan.Create = append(run.plan.Create, access.Binding{Namespace: fmt.Sprintf("team-%04d", i), Name: "view"})
	}
	for i := range removals {
		have := removing(fmt.Sprintf("old-%04d", i))
		run.plan.Delete = append(run.plan.Delete, have)
		run.observed[have.Key()] = observation{Observed: have, object: newBinding(have.Key())}
	}
	return run
}

func TestAPassMakesSomeBindingsAndTakesAwayAll(t *testing.T) {
	for name, test := range map[string]struct {
		each                time.Duration
		creations, removals int
		created, deleted    int
		retry               time.Duration
	}{
		"few on a slow API server":              {time.Second, 16, 2, 16, 2, 0},
		"more than a turn":                      {time.Millisecond, turn + 1, 0, turn, 0, untilTheRest},
		"more than the time of a pass":          {1900 * time.Millisecond, 20, 0, 16, 0, time.Second},
		"all that is taken away":                {20 * time.Millisecond, 0, 1000, 0, 1000, 0},
		"all that is taken away after its turn": {time.Millisecond, 2 * turn, 100, turn, 100, untilTheRest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &slowly{each: test.each}
				run := applying(api, test.creations, test.removals)
				tally := run.carryOut(t.Context())
				left := test.creations + test.removals - test.created - test.deleted
				if api.created != test.created || api.deleted != test.deleted || tally.left != left || tally.err != nil {
					t.Errorf("%d were made, %d taken away, and %d are left (%v), want %d, %d and %d",
						api.created, api.deleted, tally.left, tally.err, test.created, test.deleted, left)
				}
				if known := problem.As(run.outcome(tally, nil, nil).Err); known != nil && known.Retry != test.retry {
					t.Errorf("again after %s, want %s", known.Retry, test.retry)
				}
			})
		})
	}
}

func TestBindingsThatAreRefusedKeepNoOtherOneFromBeingMadeOrTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const last = "team-0199"
		api := &slowly{each: 20 * time.Millisecond, refuse: func(namespace string) bool { return namespace != last }}
		run := applying(api, 200, 1)
		known := problem.As(run.outcome(run.carryOut(t.Context()), nil, nil).Err)
		if api.created != 1 || api.deleted != 1 {
			t.Errorf("%d were made and %d taken away, want one each", api.created, api.deleted)
		}
		if known == nil || known.Reason != v1alpha1.ReasonBindingForbidden || known.Retry != time.Minute {
			t.Errorf("told %+v, want that bindings are forbidden, and another look after a minute", known)
		}
	})
}
