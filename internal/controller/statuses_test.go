// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestNothingIsKeptOfAnIdentityThatIsGone(t *testing.T) {
	w := newWorld(t, identity("alice"), identity("bob"))
	w.signs = nil
	w.before = failing(patchesStatus, 100, crashed)
	w.step(10 * time.Second)
	for _, name := range []string{"alice", "bob"} {
		w.passes(name, 1)
		w.step(10 * time.Second)
		w.passes(name, 2)
	}
	identities := map[string]*v1alpha1.ClientIdentity{"alice": w.get("alice"), "bob": w.get("bob")}
	for name, id := range identities {
		if w.credential.requests.Get(id) == nil || !w.unwritten(id) {
			t.Fatalf("nothing is kept of %s", name)
		}
	}
	for _, name := range []string{"alice", "bob"} {
		if err := w.api.Delete(t.Context(), w.get(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.pass(name); err != nil {
			t.Error(err)
		}
	}
	for name, id := range identities {
		if w.credential.requests.Get(id) != nil || w.unwritten(id) {
			t.Errorf("something is kept of %s", name)
		}
	}
}

// unwritten says whether a status is kept that could not be written.
func (w *world) unwritten(id *v1alpha1.ClientIdentity) bool {
	known := w.statuses.Known(id)
	return !equality.Semantic.DeepEqual(&known, &id.Status)
}
