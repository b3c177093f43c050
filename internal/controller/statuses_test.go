// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

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
		if w.credential.requests.Get(id) == nil || len(w.statuses.unwritten.byName) != 2 {
			t.Fatalf("nothing is kept of %s: unwritten %v", name, w.statuses.unwritten.byName)
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
		if w.credential.requests.Get(id) != nil || len(w.statuses.unwritten.byName) > 0 {
			t.Errorf("something is kept of %s: unwritten %v", name, w.statuses.unwritten.byName)
		}
	}
}
