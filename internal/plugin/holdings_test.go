// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestWhatGrantsAUserSomething(t *testing.T) {
	alice := identity("alice", func(id *v1alpha1.ClientIdentity) {
		id.UID, id.Status.Certificates[0].Groups = "uid-of-alice", []string{"developers", "former", "clientidentity.dev:uidofalice:0"}
		id.Status.OtherCertificates = &v1alpha1.OtherCertificates{NotAfter: in(day), Groups: []string{"unlisted"}}
	})
	bob := identity("bob", func(id *v1alpha1.ClientIdentity) { id.UID, id.Spec.Groups = "uid-of-bob", []string{"operators"} })
	who := newLeaver("alice@example.com", []string{"asked-for"}, []v1alpha1.ClientIdentity{alice, bob})
	user := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.UserKind, Name: name} }
	group := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name} }
	for what, row := range map[string]struct {
		subjects []rbacv1.Subject
		owner    *metav1.OwnerReference
		to, from string // empty: it is not found
		ours     bool
	}{
		"the user":                             {subjects: []rbacv1.Subject{user("alice@example.com")}, to: "user alice@example.com", from: "others"},
		"the user among others":                {subjects: []rbacv1.Subject{user("x"), user("alice@example.com"), user("y")}, to: "user alice@example.com (and 2 more)", from: "others"},
		"a group of the spec":                  {subjects: []rbacv1.Subject{group("developers")}, to: "group developers", from: "others"},
		"a group of an older certificate":      {subjects: []rbacv1.Subject{group("former")}, to: "group former", from: "others"},
		"a group of one that is not listed":    {subjects: []rbacv1.Subject{group("unlisted")}, to: "group unlisted", from: "others"},
		"a group that was asked for":           {subjects: []rbacv1.Subject{group("asked-for")}, to: "group asked-for", from: "others"},
		"the credential":                       {subjects: []rbacv1.Subject{group("clientidentity.dev:uidofalice:0")}, to: "group clientidentity.dev:uidofalice:0", from: "others"},
		"both":                                 {subjects: []rbacv1.Subject{user("alice@example.com"), group("developers")}, to: "user alice@example.com, group developers", from: "others"},
		"the group of somebody else":           {subjects: []rbacv1.Subject{group("operators")}},
		"a group of the user's name":           {subjects: []rbacv1.Subject{group("alice@example.com")}},
		"a user of the group's name":           {subjects: []rbacv1.Subject{user("developers")}},
		"a ServiceAccount of the user's name":  {subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "alice@example.com"}}},
		"by its own identity":                  {subjects: []rbacv1.Subject{user("alice@example.com")}, owner: owner("ClientIdentity", "alice", "uid-of-alice"), to: "user alice@example.com", from: "ClientIdentity alice", ours: true},
		"by the identity of somebody else":     {subjects: []rbacv1.Subject{group("developers")}, owner: owner("ClientIdentity", "bob", "uid-of-bob"), to: "group developers", from: "ClientIdentity bob"},
		"by one that says to be of ours":       {subjects: []rbacv1.Subject{group("developers")}, owner: owner("ClientIdentity", "alice", "another"), to: "group developers", from: "others"},
		"by another kind with the UID of ours": {subjects: []rbacv1.Subject{group("developers")}, owner: owner("ReplicaSet", "alice", "uid-of-alice"), to: "group developers", from: "others"},
	} {
		t.Run(what, func(t *testing.T) {
			binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "development", Name: "it"}}
			if row.owner != nil {
				binding.OwnerReferences = []metav1.OwnerReference{*row.owner}
			}
			got, found := who.ofBinding(binding, "RoleBinding", rbacv1.RoleRef{Kind: "ClusterRole", Name: "edit"}, row.subjects)
			if found != (row.to != "") || got.to != row.to || got.from != row.from || got.ours != row.ours {
				t.Errorf("got %t: to %q, of %q, ours %t", found, got.to, got.from, got.ours)
			}
		})
	}
}

func owner(kind, name string, uid types.UID) *metav1.OwnerReference {
	return &metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: uid, Controller: ptr.To(true)}
}

func TestWhatIsLeft(t *testing.T) {
	withdrawnOne := func(id *v1alpha1.ClientIdentity) {
		id.Spec.State = v1alpha1.StateWithdrawn
		id.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionWithdrawn, Status: metav1.ConditionTrue}}
	}
	for what, row := range map[string]struct {
		given []func(*v1alpha1.ClientIdentity)
		left  int
		gives string
	}{
		"an active one":                       {nil, 1, "active"},
		"one that is being withdrawn":         {[]func(*v1alpha1.ClientIdentity){func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }}, 1, "being withdrawn"},
		"a withdrawn one":                     {[]func(*v1alpha1.ClientIdentity){withdrawnOne}, 0, "withdrawn"},
		"one with a certificate":              {[]func(*v1alpha1.ClientIdentity){withdrawnOne, func(id *v1alpha1.ClientIdentity) { id.Status.OutstandingUntil = in(day) }}, 0, "withdrawn, certificates until 2026-11-27T15:00:00Z"},
		"one that is active again since then": {[]func(*v1alpha1.ClientIdentity){withdrawnOne, func(id *v1alpha1.ClientIdentity) { id.Generation++; id.Spec.State = v1alpha1.StateActive }}, 1, "active"},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", row.given...)
			got := newLeaver(id.Spec.Username, nil, []v1alpha1.ClientIdentity{id}).ofIdentity(&id, now)
			if count, _, _ := left([]holding{got}); count != row.left || got.gives != row.gives {
				t.Errorf("%d left, %q; want %d, %q", count, got.gives, row.left, row.gives)
			}
		})
	}
}
