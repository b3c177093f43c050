// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// subjects returns whom the cluster-wide bindings in the API server name, each with the role.
func subjects(w *world) []string {
	w.t.Helper()
	var list rbacv1.ClusterRoleBindingList
	if err := w.api.List(w.t.Context(), &list); err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		for _, s := range list.Items[i].Subjects {
			names = append(names, s.Kind+" "+s.Name+" "+list.Items[i].RoleRef.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Two identities with one username and bindTo: Credential; then the older one is switched to the username.
func TestAnotherIdentityOfTheUsernameDoesNotKeepAccessFromEnding(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.ClientIdentity)
		want   func(before []string) []string
	}{
		"a revocation takes the old credential's rights": {
			func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(time.Minute) },
			func([]string) []string {
				return []string{"Group clientidentity.dev:9f1c2d3e4a5b4c6d8e7f000000000003:1795316700 view"}
			},
		},
		"a binding that is asked for no longer goes, and none comes": {
			func(id *v1alpha1.ClientIdentity) {
				id.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "edit", RoleRef: v1alpha1.ClusterRoleRef{Name: "edit"}}}
			},
			func([]string) []string { return nil },
		},
		"a binding whose time is over goes": {
			func(id *v1alpha1.ClientIdentity) { id.Spec.ClusterRoleBindings[0].ValidUntil = at(time.Minute) },
			func([]string) []string { return nil },
		},
		"what is asked for stays": {
			func(*v1alpha1.ClientIdentity) {},
			func(before []string) []string { return before },
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared := func(id *v1alpha1.ClientIdentity) { id.Spec.Username = "shared" }
			w := newWorld(t, identity("older", shared, boundToCredential, func(id *v1alpha1.ClientIdentity) {
				id.CreationTimestamp = metav1.Time{Time: start.Add(-2 * time.Hour)}
			}), identity("younger", shared, boundToCredential, reads))
			w.ready("younger")
			before := subjects(w)
			w.change("older", func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToUsername })
			w.change("younger", test.change)
			w.step(2 * time.Minute)
			younger := w.passes("younger", 2)
			expectCondition(t, &younger.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonUsernameInUse)
			expectCondition(t, &younger.Status, v1alpha1.ConditionCertificateIssued, "True", v1alpha1.ReasonUsernameInUse)
			if got, want := subjects(w), test.want(before); !slices.Equal(got, want) {
				t.Errorf("bound are %q, want %q", got, want)
			}
			w.expectCalls(createsCSR, 1)
		})
	}
}

// refusing refuses to write bindings, as the API server does where the operator may not bind their roles; with a nil
// error it refuses nothing.
func refusing(err error) func(string, client.Object) error {
	return func(call string, _ client.Object) error {
		if call == "create ClusterRoleBinding" || call == "patch ClusterRoleBinding" {
			return err
		}
		return nil
	}
}

func TestABindingThatTheOperatorMayNotMakeStalls(t *testing.T) {
	forbidden := apierrors.NewForbidden(rbacv1.Resource("clusterrolebindings"), "any", errors.New("not currently held"))
	for name, refused := range map[string]error{
		"where the role gives more than it holds": forbidden,
		"where there is no such role":             apierrors.NewNotFound(rbacv1.Resource("clusterrolebindings"), "view"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice", reads))
			w.before = refusing(refused)
			alice := w.passes("alice", 4)
			expectCondition(t, &alice.Status, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBindingForbidden)
			expectCondition(t, &alice.Status, v1alpha1.ConditionAccessBound, metav1.ConditionFalse, v1alpha1.ReasonBindingForbidden)
			expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonBindingForbidden)
			expectNoCondition(t, &alice.Status, v1alpha1.ConditionReconciling)
			message := meta.FindStatusCondition(alice.Status.Conditions, v1alpha1.ConditionStalled).Message
			for _, want := range []string{`for ClusterRole "view"`, refused.Error()} {
				if !strings.Contains(message, want) {
					t.Errorf("message %q has no %q", message, want)
				}
			}
			result, err := w.pass("alice")
			if err != nil || result.RequeueAfter < time.Minute || result.RequeueAfter > 66*time.Second {
				t.Errorf("looks again after %s, %v; want about a minute", result.RequeueAfter, err)
			}
			w.before = nil
			w.ready("alice")
		})
	}
}

func TestABindingThatTheOperatorMayNotCorrectGoes(t *testing.T) {
	w := newWorld(t, identity("alice", reads, boundToCredential))
	w.ready("alice")
	w.before = refusing(apierrors.NewForbidden(rbacv1.Resource("clusterrolebindings"), "any", errors.New("not currently held")))
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(time.Minute) })
	w.step(2 * time.Minute)
	alice := w.passes("alice", 4)
	if got := subjects(w); len(got) > 0 {
		t.Errorf("the revoked credential still has %q", got)
	}
	expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonBindingForbidden)
}

func TestManyBindingsHoldTheCredentialUpForAWhileOnly(t *testing.T) {
	const count = 20 // in one turn
	w := newWorld(t, identity("alice", func(id *v1alpha1.ClientIdentity) {
		for n := range count {
			id.Spec.ClusterRoleBindings = append(id.Spec.ClusterRoleBindings, v1alpha1.ClusterRoleBinding{
				Name: fmt.Sprintf("b%d", n), RoleRef: v1alpha1.ClusterRoleRef{Name: "view"},
			})
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	w.before = func(call string, _ client.Object) error {
		if call == "create ClusterRoleBinding" && w.calls[call] == 10 {
			// The time is up.
			expired, cancel := context.WithDeadline(ctx, time.Time{})
			defer cancel()
			return expired.Err()
		}
		return nil
	}
	alice := w.passes("alice", 1)
	if got := len(subjects(w)); got != count-1 {
		t.Errorf("%d bindings, want all but one", got)
	}
	expectCondition(t, &alice.Status, v1alpha1.ConditionAccessBound, "False", v1alpha1.ReasonPending)
	w.expectCalls(createsCSR, 1)
	alice = w.ready("alice")
	if alice.Status.BoundBindings != count {
		t.Errorf("%d are bound", alice.Status.BoundBindings)
	}
}

func TestAnOperatorThatIsStoppedBlamesNobody(t *testing.T) {
	w := newWorld(t, identity("alice", reads))
	before := w.ready("alice")
	ctx, stop := context.WithCancel(t.Context())
	w.before = func(call string, _ client.Object) error {
		if call == "create ClusterRoleBinding" {
			stop()
			return context.Canceled
		}
		return nil
	}
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.ClusterRoleBindings[0].RoleRef.Name = "edit" })
	w.told()
	_, _ = w.Reconcile(ctx, requestFor("alice"))
	if after := w.get("alice"); !slices.Equal(after.Status.Conditions, before.Status.Conditions) || len(w.told()) > 0 {
		t.Errorf("conditions %+v", after.Status.Conditions)
	}
}
