// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/bench/result"
)

func TestWhichPhasesAreDue(t *testing.T) {
	for name, test := range map[string]struct {
		only  []result.Phase
		round int
		of    subject
		want  []result.Phase
	}{
		"all, of the bare client, which can do some": {
			result.Phases, 1, newBare(nil), []result.Phase{result.Alone, result.Issue, result.Quiet, result.Renew, result.Delete},
		},
		"later rounds repeat what is compared":  {result.Phases, 2, newOurs(nil), []result.Phase{result.Issue, result.Delete}},
		"nothing comes before the issue":        {[]result.Phase{result.Restart}, 1, newOurs(nil), []result.Phase{result.Issue, result.Restart}},
		"one after the other needs no batch":    {[]result.Phase{result.Alone}, 1, newOurs(nil), []result.Phase{result.Alone}},
		"only what was withdrawn is activated":  {[]result.Phase{result.Activate}, 1, newOurs(nil), []result.Phase{result.Issue, result.Withdraw, result.Activate}},
		"the floor is measured once":            {result.Phases, 2, newFloor(nil), nil},
		"the floor has nothing that is changed": {result.Phases, 1, newFloor(nil), []result.Phase{result.Alone, result.Issue}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{settings: settings{only: test.only}}
			due := slices.DeleteFunc(test.of.phases(), func(p result.Phase) bool { return !w.due(p, test.of, test.round) })
			if !slices.Equal(due, test.want) {
				t.Errorf("due are %v", due)
			}
		})
	}
}

func TestTheObserverTellsABatchOfItsOwnAlone(t *testing.T) {
	b := &batch{prefix: "operator-1", count: 2, stopwatch: newStopwatch(2, time.Now)}
	o := &observer{}
	ready := func(name string) watch.Event {
		id := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
		id.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
		return watch.Event{Type: watch.Modified, Object: id}
	}
	see := func(name string, want int) {
		t.Helper()
		if o.see(ready(name)); b.finished() != want {
			t.Errorf("after %s %d are done", name, b.finished())
		}
	}
	b.begin(0)
	b.begin(1)
	see("operator-1-0", 0) // nobody waits yet
	o.expect(b, func(id *v1alpha1.ClientIdentity, _ bool) bool { return isReady(id) })
	see("operator-11-0", 0)
	see("operator-1-alone-0", 0)
	see("operator-1-0", 1)
	o.see(watch.Event{Type: watch.Bookmark, Object: &v1alpha1.ClientIdentity{}})
	o.see(watch.Event{Type: watch.Error, Object: &metav1.Status{}})
	o.rest()
	see("operator-1-1", 1)
}

func TestAFailureEndsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	var done atomic.Int32
	err := inParallel(4, 1_000_000, func(i int) error {
		done.Add(1)
		if i == 10 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || done.Load() == 1_000_000 {
		t.Errorf("%d were done: %v", done.Load(), err)
	}
	done.Store(0)
	if err := inParallel(4, 100, func(int) error { done.Add(1); return nil }); err != nil || done.Load() != 100 {
		t.Errorf("%d were done: %v", done.Load(), err)
	}
}
