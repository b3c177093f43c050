// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWhatItDeletedIsGoneBeforeTheCacheKnows(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	l.shows(r, 1)
	l.deleted(r)
	l.expect("deleted", "")
	l.shows(r, 2)
	l.expect("deleted, and the cache shows an earlier change", "")
	l.showsNone()
	l.expect("the cache knows", "")
}

// An object that was deleted a moment after it was made may come up in the cache still.
func TestWhatItDeletedStaysGoneThoughTheCacheHadNotSeenItYet(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	l.deleted(r)
	l.expect("deleted", "")
	l.shows(r, 1)
	l.expect("the cache shows that it was made", "")
	l.showsNone()
	l.vanishes(r)
	if len(l.writes) != 0 {
		t.Error("is remembered after the cache has seen it go")
	}
}

func TestWhatAFinalizerKeepsIsNotGone(t *testing.T) {
	l := newLagging(t)
	r := l.created("get", withFinalizer)
	l.shows(r, 1)
	l.deleted(r)
	l.expect("deleted", "get")
	kept := &rbacv1.Role{}
	l.must(l.api.Get(t.Context(), client.ObjectKeyFromObject(r), kept))
	l.shows(kept, 2)
	got := &rbacv1.Role{}
	l.must(l.Get(t.Context(), client.ObjectKeyFromObject(r), got))
	if got.DeletionTimestamp == nil {
		t.Error("is not shown as being deleted")
	}
	l.showsNone()
	l.vanishes(kept)
	l.expect("released", "")
}

func TestWhatNobodyKnowsTheUIDOfIsNotTakenForGone(t *testing.T) {
	l := newLagging(t)
	l.shows(l.created("get"), 1)
	l.deleted(role("get"))
	l.expect("deleted by its name", "get")
}

func TestWhatSomebodyElseDeletedIsNotBroughtBack(t *testing.T) {
	for name, write := range map[string]func(*lagging) *rbacv1.Role{
		"what was created": func(l *lagging) *rbacv1.Role { return l.created("get") },
		"what was updated": func(l *lagging) *rbacv1.Role { return l.updated(l.created("get"), "list") },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLagging(t)
			r := write(l)
			l.must(l.api.Delete(t.Context(), r.DeepCopy()))
			if requests := l.vanishes(r); requests != 1 {
				t.Errorf("%d passes follow, want 1", requests)
			}
			l.expect("gone", "")
		})
	}
}

func TestADeletionIsOfOneObjectNotOfAName(t *testing.T) {
	l := newLagging(t)
	earlier := role("get", withUID("earlier"))
	l.created("list")
	l.vanishes(earlier)
	l.expect("the earlier one of its name went", "list")
	other := role("list", withUID("uid-1"), func(r *rbacv1.Role) { r.Name = "other" })
	l.vanishes(other)
	l.expect("one of another name went", "list")
}

func TestAnotherObjectOfTheSameName(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	l.shows(r, 1)
	another := role("list", withUID("another"))

	l.deleted(r)
	l.shows(another, 5)
	l.expect("made by somebody after its deletion", "list")
	l.shows(r, 1)
	l.expect("the cache is right after that", "get")

	l.deleted(l.created("get"))
	l.shows(r, 1)
	again := l.updated(l.created("get"), "watch")
	l.expect("made again by itself", "watch")
	if again.UID == r.UID {
		t.Fatal("the same object")
	}
	l.shows(another, 9)
	l.expect("deleted and made by somebody meanwhile", "list")
}

func TestADeletionThatIsSeenDuringAWrite(t *testing.T) {
	for name, test := range map[string]struct {
		// goes is what is seen to go while the write is on its way.
		goes func(written client.Object) []types.UID
		want string
	}{
		"of what is written":     {func(w client.Object) []types.UID { return []types.UID{w.GetUID()} }, ""},
		"of it among others":     {func(w client.Object) []types.UID { return []types.UID{"a", w.GetUID(), "b"} }, ""},
		"of the one of its name": {func(client.Object) []types.UID { return []types.UID{"earlier"} }, "list"},
		"of nothing":             {func(client.Object) []types.UID { return nil }, "list"},
	} {
		t.Run(name, func(t *testing.T) {
			for write, do := range map[string]func(*lagging){
				"create": func(l *lagging) { l.created("list") },
				"update": func(l *lagging) {
					r := role("get")
					l.must(l.api.Create(t.Context(), r))
					l.updated(r, "list")
				},
			} {
				l := newLagging(t)
				l.during = func(written client.Object) {
					for _, uid := range test.goes(written) {
						l.vanishes(role("list", withUID(uid)))
					}
				}
				do(l)
				l.expect(write, test.want)
				if len(l.flights) != 0 {
					t.Errorf("%s is still on its way", write)
				}
			}
		})
	}
}

func TestADeletionIsRememberedByAllWritesThatAreOnTheirWay(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	l.must(l.Writing(r, func() (client.Object, error) {
		l.must(l.Writing(r, func() (client.Object, error) { l.vanishes(r); return r, nil }))
		l.expect("the first one is answered", "")
		return r, nil
	}))
	l.expect("both are", "")
	l.updated(r, "list")
	l.expect("a write after that", "list")
}
