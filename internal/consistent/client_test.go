// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestItsOwnWritesAreReadBeforeTheCacheHasThem(t *testing.T) {
	l := newLagging(t)
	l.expect("before", "")
	r := l.created("get")
	l.expect("created", "get")
	l.shows(r, 1)
	r = l.updated(r, "list")
	l.expect("updated", "list")
	before := r.DeepCopy()
	r.Rules[0].Verbs[0] = "watch"
	l.must(l.Patch(t.Context(), r, client.MergeFrom(before)))
	l.expect("patched", "watch")
	l.shows(r, 3)
	l.expect("shown", "watch")
}

func TestItsOwnWritesOfTheStatusAreRead(t *testing.T) {
	for name, write := range map[string]func(client.SubResourceWriter, *v1alpha1.ClientIdentity) error{
		"updated": func(w client.SubResourceWriter, id *v1alpha1.ClientIdentity) error {
			id.Status.BoundBindings = 2
			return w.Update(t.Context(), id)
		},
		"patched": func(w client.SubResourceWriter, id *v1alpha1.ClientIdentity) error {
			before := id.DeepCopy()
			id.Status.BoundBindings = 2
			return w.Patch(t.Context(), id, client.MergeFrom(before))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLagging(t)
			alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice"}}
			l.must(l.api.Create(t.Context(), alice))
			l.must(write(l.Status(), alice))
			got := &v1alpha1.ClientIdentity{}
			if err := l.Get(t.Context(), client.ObjectKey{Name: "alice"}, got); err != nil || got.Status.BoundBindings != 2 {
				t.Errorf("read %+v (%v)", got.Status, err)
			}
		})
	}
}

func TestTheCacheIsReadOnceItIsNotBehind(t *testing.T) {
	for name, test := range map[string]struct {
		version int
		want    string
	}{
		"behind":                    {1, "list"},
		"the same":                  {2, "get"},
		"newer":                     {3, "get"},
		"newer by a digit":          {10, "get"},
		"of a version that is none": {-1, "get"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLagging(t)
			r := l.created("get")
			l.updated(r, "list")
			l.shows(r, test.version)
			l.expect("shown", test.want)
		})
	}
	l := newLagging(t)
	r := l.created("get")
	l.updated(r, "list")
	l.shows(r, 3)
	l.expect("newer", "get")
	l.showsNone()
	l.expect("gone after that", "")
}

func TestWritesThatFailAreNotRemembered(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	if err := l.Create(t.Context(), role("list")); err == nil {
		t.Error("two of one name")
	}
	l.expect("created by another", "get")
	outdated := role("list", withUID(r.UID))
	outdated.ResourceVersion = "99"
	if err := l.Update(t.Context(), outdated); err == nil {
		t.Error("updates what was not seen")
	}
	l.expect("a conflict", "get")
	l.refusal = errors.New("no such right")
	if err := l.Delete(t.Context(), r.DeepCopy()); !errors.Is(err, l.refusal) {
		t.Errorf("got %v", err)
	}
	l.expect("a deletion that is refused", "get")
	if len(l.flights) != 0 {
		t.Errorf("%d writes are still on their way", len(l.flights))
	}
}

func TestErrorsOfTheCacheAreTold(t *testing.T) {
	l := newLagging(t)
	l.created("get")
	l.failure = errors.New("no such cache")
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "reader"}, &rbacv1.Role{}); !errors.Is(err, l.failure) {
		t.Errorf("got %v", err)
	}
	l.failure = nil
	l.expect("after that", "get")
}

func TestAWriteIsForgottenThatTheCacheNeverShows(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	l.step(30*time.Second - 1)
	l.expect("just before", "get")
	l.step(1)
	l.expect("after half a minute", "")

	l.shows(r, 1)
	l.deleted(r)
	l.expect("deleted", "")
	l.step(30 * time.Second)
	l.expect("a deletion after half a minute", "get")

	other := role("get", func(r *rbacv1.Role) { r.Name = "other" })
	l.must(l.Create(t.Context(), other))
	if len(l.writes) != 1 {
		t.Errorf("%d writes are kept in memory, want that of a moment ago", len(l.writes))
	}
}

func TestWhatIsReadAndWrittenIsACopy(t *testing.T) {
	l := newLagging(t)
	r := l.created("get")
	r.Rules[0].Verbs[0] = "changed after it was written"
	l.expect("written", "get")
	got := &rbacv1.Role{}
	l.must(l.Get(t.Context(), client.ObjectKeyFromObject(r), got))
	got.Rules[0].Verbs[0] = "changed after it was read"
	l.expect("read", "get")
}

func TestWhatIsWrittenPastItIsRead(t *testing.T) {
	l := newLagging(t)
	written := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "kubeconfig", UID: "uid", ResourceVersion: "7"}}
	written.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("Role"))
	l.must(l.Writing(written.DeepCopy(), func() (client.Object, error) { return written, nil }))

	key := client.ObjectKeyFromObject(written)
	got := &metav1.PartialObjectMetadata{}
	got.SetGroupVersionKind(written.GroupVersionKind())
	if err := l.Get(t.Context(), key, got); err != nil || got.ResourceVersion != "7" {
		t.Errorf("read %+v (%v)", got, err)
	}
	if err := l.Get(t.Context(), key, &rbacv1.Role{}); err == nil {
		t.Error("takes metadata for the object")
	}
	failure := errors.New("refused")
	if err := l.Writing(written, func() (client.Object, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

// Workers write objects of their own at once, and watches tell of their deletions.
func TestManyMayUseItAtOnce(t *testing.T) {
	l := newLagging(t)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			name := func(r *rbacv1.Role) { r.Name = fmt.Sprintf("role-%d", worker) }
			for round := range 20 {
				r := role("get", name)
				err := l.Create(t.Context(), r)
				for _, verb := range []string{"list", "watch"} {
					r.Rules[0].Verbs[0] = verb
					err = errors.Join(err, l.Update(t.Context(), r))
				}
				got := &rbacv1.Role{}
				if err = errors.Join(err, l.Get(t.Context(), client.ObjectKeyFromObject(r), got)); err != nil || got.Rules[0].Verbs[0] != "watch" {
					t.Errorf("worker %d, round %d: read %v (%v)", worker, round, got.Rules, err)
				}
				_ = l.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "role-0"}, &rbacv1.Role{})
				if err := l.Delete(t.Context(), r); err != nil {
					t.Error(err)
				}
				l.vanishes(r)
			}
		})
	}
	group.Wait()
	if len(l.writes)+len(l.flights) != 0 {
		t.Errorf("%d writes are remembered, and %d on their way", len(l.writes), len(l.flights))
	}
}
