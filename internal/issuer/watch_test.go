// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var (
	unauthorized = apierrors.NewUnauthorized("Unauthorized")
	forbidden    = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "alice-kubeconfig", errors.New("no such right"))
	errTimeout   = errors.New("timeout")
)

// aliceAndBob have certificates of one CA: alice's is older.
func aliceAndBob(t *testing.T) *watched {
	t.Helper()
	return watching(t, holder("bob", from("CN=ca", "1", time.Minute)), holder("alice", from("CN=ca", "1", 0)))
}

func TestADroppedCAIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		given    func(*watched)
		proven   []string
		refusals int
		err      error
	}{
		"by one proof where nothing is wrong":          {func(*watched) {}, []string{"alice"}, 0, nil},
		"where a credential that it issued is refused": {func(w *watched) { w.answer = unauthorized }, []string{"alice"}, 1, nil},
		"but not where the API server does not answer": {func(w *watched) { w.answer = errTimeout }, []string{"alice"}, 0, errTimeout},
		"though the Secret of the oldest may not be read": {func(w *watched) {
			w.answer = unauthorized
			w.noWitness["alice"] = forbidden
		}, []string{"bob"}, 1, nil},
		"though the Secret of the oldest is gone, or damaged": {func(w *watched) {
			w.answer = unauthorized
			w.noWitness["alice"] = nil
		}, []string{"bob"}, 1, nil},
		"but not where no Secret may be read, which is told": {func(w *watched) {
			w.answer = unauthorized
			w.noWitness["alice"], w.noWitness["bob"] = forbidden, forbidden
		}, nil, 0, forbidden},
		"but not by what ends while it is proven": {func(w *watched) {
			w.answer = unauthorized
			w.clock.SetTime(start.Add(time.Hour + 30*time.Second))
		}, nil, 0, nil},
		"by the one that does not end then": {func(w *watched) {
			w.answer = unauthorized
			w.clock.SetTime(start.Add(time.Hour - 90*time.Second))
		}, []string{"bob"}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := aliceAndBob(t)
			test.given(w)
			err := w.look(t.Context())
			if !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if !slices.Equal(w.proven, test.proven) || len(w.Registry.refused) != test.refusals || w.changes != test.refusals {
				t.Errorf("%q proven, %d refusals told %d times, want %q and %d", w.proven, len(w.Registry.refused), w.changes, test.proven, test.refusals)
			}
		})
	}
}

func TestEachCAIsProvenByItsOwn(t *testing.T) {
	w := watching(t, holder("alice", from("CN=ca", "2", 0)), holder("bob", from("CN=ca", "1", 0)), holder("carol", from("CN=other", "", 0)), holder("dave", nil))
	w.noWitness["alice"] = forbidden
	if err := w.look(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	if want := []string{"bob", "carol"}; !slices.Equal(w.proven, want) {
		t.Errorf("%q proven, want %q: what is wrong with one CA does not hold up the others", w.proven, want)
	}
}

func TestNotAllOfAFleetIsTriedForOneCA(t *testing.T) {
	var fleet []client.Object
	for n := range 50 {
		fleet = append(fleet, holder(fmt.Sprintf("identity-%02d", n), from("CN=ca", "1", 0)))
	}
	w := watching(t, fleet...)
	for n := range witnesses - 1 {
		w.noWitness[fmt.Sprintf("identity-%02d", n)] = nil
	}
	if err := w.look(t.Context()); err != nil || !slices.Equal(w.proven, []string{"identity-09"}) {
		t.Errorf("%q proven (%v)", w.proven, err)
	}
	w.proven, w.noWitness["identity-09"] = nil, nil
	if err := w.look(t.Context()); err != nil || w.proven != nil {
		t.Errorf("%q proven (%v)", w.proven, err)
	}
}

func TestNobodysKeyIsHereWhereHoldersMakeThem(t *testing.T) {
	theirs := holder("alice", from("CN=ca", "1", 0))
	theirs.Spec.PrivateKey.Source = v1alpha1.SourceHolder
	w := watching(t, theirs, holder("bob", from("CN=ca", "1", time.Minute)))
	if err := w.look(t.Context()); err != nil || !slices.Equal(w.proven, []string{"bob"}) {
		t.Errorf("%q proven (%v)", w.proven, err)
	}
}

func TestADroppedCAIsToldOnceAndWhatItIssuesAfterIsProvenAgain(t *testing.T) {
	w := aliceAndBob(t)
	w.answer = unauthorized
	for range 3 {
		if err := w.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.proven) != 1 || w.changes != 1 {
		t.Errorf("%q proven, told %d times", w.proven, w.changes)
	}
	again := watching(t, holder("alice", from("CN=ca", "1", 10*time.Minute)))
	again.Registry = w.Registry
	if err := again.look(t.Context()); err != nil || !slices.Equal(again.proven, []string{"alice"}) || w.changes != 1 {
		t.Errorf("%q proven (%v), told %d times", again.proven, err, w.changes)
	}
}

func TestTheWatchLooksWhenTheListChangesAndEndsWithItsContext(t *testing.T) {
	w := aliceAndBob(t)
	w.Interval = time.Hour
	changed := make(chan struct{})
	w.ListChanged = changed
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Start(ctx) }()
	changed <- struct{}{}
	changed <- struct{}{} // taken once the first look is over
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(w.proven) == 0 {
		t.Error("nothing is proven")
	}
}
