// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// reasons returns type and reason of events.
func reasons(events []string) []string {
	var result []string
	for _, event := range events {
		words := strings.Fields(event)
		result = append(result, words[0]+" "+words[1])
	}
	return result
}

func expectEvents(t *testing.T, step string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(reasons(got), want) {
		t.Errorf("%s: events %q, want %q", step, got, want)
	}
}

func TestOneEventForATransitionAndNoneWithout(t *testing.T) {
	w := newWorld(t, identity("alice", reads))
	w.ready("alice")
	expectEvents(t, "first certificate", w.told(), "Normal Issued")
	w.passes("alice", 5)
	expectEvents(t, "unchanged", w.told())

	w.before = failing(createsCSR, 3, apierrors.NewInternalError(errStale))
	w.step(40 * time.Minute)
	for range 3 {
		w.passes("alice", 3)
		w.step(5 * time.Minute)
	}
	expectEvents(t, "renewal fails", w.told(), "Warning Unavailable")
	w.before = nil
	w.ready("alice")
	expectEvents(t, "renewed", w.told(), "Normal Renewed")

	w.before = failing("create ClusterRoleBinding", 1, apierrors.NewForbidden(rbacResource, "x", errStale))
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.ClusterRoleBindings[0].RoleRef.Name = "edit" })
	w.passes("alice", 1)
	expectEvents(t, "may not bind", w.told(), "Warning BindingForbidden")
	w.ready("alice")
	expectEvents(t, "bound again", w.told(), "Normal Bound")

	w.change("alice", func(id *v1alpha1.ClientIdentity) {
		id.Spec.ClusterRoleBindings[0].ValidUntil = &metav1.Time{Time: w.clock.Now().Add(time.Minute)}
	})
	w.passes("alice", 2)
	expectEvents(t, "a time that has not come to its end", w.told())
	w.step(time.Minute)
	w.passes("alice", 2)
	expectEvents(t, "a binding whose time is over", w.told(), "Normal Bound")

	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn })
	w.passes("alice", 4)
	expectEvents(t, "withdrawn", w.told(), "Normal StateWithdrawn")
}

func TestEventsFitTheAPI(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.signs = nil
	w.passes("alice", 1)
	csr := openRequest(w)
	deny(csr)
	csr.Status.Conditions[0].Message = strings.Repeat("no ü! ", 1000)
	if err := w.api.Status().Update(t.Context(), csr); err != nil {
		t.Fatal(err)
	}
	w.passes("alice", 2)
	for _, event := range w.told() {
		if note := strings.TrimPrefix(event, "Warning Denied "); len(note) > 1024 || note == event {
			t.Errorf("a note of %d bytes; the API server takes 1024: %s", len(note), event)
		}
	}
}
