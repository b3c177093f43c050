// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// told has the watch tell of an object that came or changed.
func (l *lagging) told(object client.Object) {
	watching := l.Watching(handler.Funcs{})
	watching.Create(l.t.Context(), event.CreateEvent{Object: object}, nil)
	watching.Update(l.t.Context(), event.UpdateEvent{ObjectOld: object, ObjectNew: object}, nil)
}

func TestWhatTheWatchShowsIsNotRememberedAnyLonger(t *testing.T) {
	for name, test := range map[string]struct {
		shown func(l *lagging, first, second *rbacv1.Role)
		want  int
	}{
		"what was written last": {func(l *lagging, _, second *rbacv1.Role) { l.told(second) }, 0},
		"only what came before": {func(l *lagging, first, _ *rbacv1.Role) { l.told(first) }, 1},
		"what others wrote since": {func(l *lagging, _, second *rbacv1.Role) {
			later := second.DeepCopy()
			later.ResourceVersion = "99"
			l.told(later)
		}, 0},
		"nothing": {func(*lagging, *rbacv1.Role, *rbacv1.Role) {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLagging(t)
			first := l.created("get")
			second := l.updated(first.DeepCopy(), "list")
			test.shown(l, first, second)
			if got := len(l.writes); got != test.want {
				t.Errorf("%d writes are remembered, and not %d", got, test.want)
			}
		})
	}
}

func TestWhatTheWatchShowsBeforeTheAnswerIsNotRemembered(t *testing.T) {
	l := newLagging(t)
	written := role("get")
	l.must(l.Writing(written, func() (client.Object, error) {
		err := l.api.Create(t.Context(), written)
		l.told(written.DeepCopy())
		return written, err
	}))
	if len(l.writes) != 0 {
		t.Error("it is remembered")
	}
	l.must(l.Writing(written, func() (client.Object, error) {
		l.told(written.DeepCopy()) // as it was before
		written.Rules[0].Verbs[0] = "list"
		return written, l.api.Update(t.Context(), written)
	}))
	if len(l.writes) != 1 {
		t.Error("it is forgotten")
	}
}
