// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// readable is a change of the spec.
func readable(id *v1alpha1.ClientIdentity) {
	id.Spec.BindTo, id.Spec.Secret.HolderCanRead = v1alpha1.BindToCredential, true
}

// readerRoles returns what Roles let the holders of mallory's credential read.
func readerRoles(w *world) []string {
	w.t.Helper()
	var roles rbacv1.RoleList
	if err := w.api.List(w.t.Context(), &roles); err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for i := range roles.Items {
		names = append(names, roles.Items[i].Rules[0].ResourceNames...)
	}
	return names
}

func TestAHolderReadsNoSecretThatIsNotItsOwn(t *testing.T) {
	w := newWorld(t, identity("mallory", readable), identity("alice"))
	w.ready("mallory")
	if got := readerRoles(w); len(got) != 1 || got[0] != "mallory-kubeconfig" {
		t.Fatalf("may read %q, want its own Secret", got)
	}
	for name, others := range map[string]string{"of another identity": "alice-kubeconfig", "of somebody": "token"} {
		t.Run(name, func(t *testing.T) {
			w.ready("alice")
			if !w.exists(&corev1.Secret{}, testNamespace, "token") {
				w.add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: "token"}})
			}
			w.change("mallory", func(id *v1alpha1.ClientIdentity) {
				id.Spec.Secret.Name = others
				id.Spec.SignerName = "example.com/not-allowed" // nothing is published there
				id.Spec.TTL.Duration *= 2
			})
			w.passes("mallory", 3)
			for _, got := range readerRoles(w) {
				if got == others {
					t.Errorf("mallory may read %q", got)
				}
			}
		})
	}
}

func TestARestoredReaderRoleIsMadeAnew(t *testing.T) {
	for name, finish := range map[string]func(*v1alpha1.ClientIdentity){
		"where it is wanted":     func(*v1alpha1.ClientIdentity) {},
		"or goes where it isn't": func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice", readable))
			w.ready("alice")
			key := "clientidentity:alice:" + "secret-reader:"
			role := &rbacv1.Role{}
			if !w.exists(role, testNamespace, key) {
				t.Fatal("no Role")
			}
			uid := role.UID
			role.OwnerReferences = nil
			role.Rules[0].ResourceNames = []string{"token"}
			if err := w.api.Update(t.Context(), role); err != nil {
				t.Fatal(err)
			}
			w.change("alice", finish)
			id := w.passes("alice", 3)
			restored := w.exists(role, testNamespace, key)
			if id.Spec.State == v1alpha1.StateWithdrawn {
				if restored {
					t.Error("still there")
				}
				return
			}
			if !restored || role.UID == uid || role.Rules[0].ResourceNames[0] != "alice-kubeconfig" || len(role.OwnerReferences) != 1 {
				t.Errorf("not made anew: %+v", role)
			}
			expectCondition(t, &id.Status, v1alpha1.ConditionAccessBound, "True", v1alpha1.ReasonBound)
		})
	}
}
