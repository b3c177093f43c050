// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package access decides which role bindings an identity has: those that its spec asks for, and how they
// differ from the ones that exist. It is pure: cluster state and the time are parameters.
package access

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Key identifies a binding in a cluster. An empty namespace means a ClusterRoleBinding.
type Key struct {
	Namespace, Name string
}

// Kind returns RoleBinding or ClusterRoleBinding.
func (k Key) Kind() string {
	if k.Namespace == "" {
		return "ClusterRoleBinding"
	}
	return "RoleBinding"
}

// String returns the kind and the name for messages, as in RoleBinding "dev/clientidentity:alice:dev:0a1b2c3d4e".
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind() + ` "` + k.Name + `"`
	}
	return k.Kind() + ` "` + k.Namespace + "/" + k.Name + `"`
}

// Compare orders keys: cluster-wide ones first, then by namespace and name.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Namespace, other.Namespace), cmp.Compare(k.Name, other.Name))
}

// Binding is a binding that is wanted: a ClusterRoleBinding where the namespace is empty.
type Binding struct {
	Namespace string
	Name      string
	// SpecName is the name of the binding in the spec.
	SpecName string
	RoleRef  rbacv1.RoleRef
	Subject  rbacv1.Subject
}

// Key returns what identifies the binding in the cluster.
func (b Binding) Key() Key { return Key{Namespace: b.Namespace, Name: b.Name} }

// Result is what an identity's spec amounts to at one moment.
type Result struct {
	// Bindings are those wanted now, cluster-wide ones first, then by namespace and name.
	Bindings []Binding
	// Missing are those that cannot be placed, by the name of the binding.
	Missing []Gap
	// OutOfTime are the names of those whose time has not come, or is over.
	OutOfTime []string
	// Next is when the answer changes by the mere passing of time; zero = never.
	Next time.Time
}

// Desired returns the bindings that an identity has at now. None are wanted of one that has ended.
//
// Namespaces are all that exist and that a binding names, or that its selector may select. Protected are those that a selector never selects, besides kube-system: the ones
// that the operator publishes Secrets in. CredentialGroup is BoundGroup: where it is empty, bindings name the user.
func Desired(id *v1alpha1.ClientIdentity, namespaces []Namespace, protected sets.Set[string], credentialGroup string, now time.Time) Result {
	var result Result
	if End(id, now) != nil {
		return result
	}
	if id.Spec.AccessUntil != nil {
		result.next(id.Spec.AccessUntil.Time, now)
	}
	places := newPlaces(namespaces, protected)
	for i := range id.Spec.RoleBindings {
		b := &id.Spec.RoleBindings[i]
		if !result.inWindow(b.Name, b.BindingWindow, now) {
			continue
		}
		chosen, gap := places.of(b)
		if gap != nil {
			result.Missing = append(result.Missing, *gap)
			continue
		}
		roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: b.RoleRef.Kind, Name: b.RoleRef.Name}
		wanted := wantedOf(id, b.Name, roleRef, subject(id, b.Group, credentialGroup))
		result.Bindings = slices.Grow(result.Bindings, len(chosen))
		for _, wanted.Namespace = range chosen {
			result.Bindings = append(result.Bindings, wanted)
		}
	}
	for i := range id.Spec.ClusterRoleBindings {
		b := &id.Spec.ClusterRoleBindings[i]
		if result.inWindow(b.Name, b.BindingWindow, now) {
			roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: b.RoleRef.Name}
			result.Bindings = append(result.Bindings, wantedOf(id, b.Name, roleRef, subject(id, b.Group, credentialGroup)))
		}
	}
	slices.SortFunc(result.Bindings, func(a, b Binding) int { return a.Key().Compare(b.Key()) })
	slices.SortFunc(result.Missing, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Namespace, b.Namespace))
	})
	return result
}

// BindingName returns the name of the binding object of an identity's binding. A changed role gives
// another name, since a roleRef cannot be changed: the new binding is made before the old one goes. Neither
// the name of an identity nor that of a binding holds a colon, so no two pairs give the same name. It has
// at most 153 characters.
func BindingName(identity, binding string, roleRef rbacv1.RoleRef) string {
	sum := sha256.Sum256([]byte(roleRef.Kind + "/" + roleRef.Name))
	return "clientidentity:" + identity + ":" + binding + ":" + hex.EncodeToString(sum[:5])
}

// wantedOf is what a binding of the spec wants, cluster-wide until it is put into a namespace.
func wantedOf(id *v1alpha1.ClientIdentity, specName string, roleRef rbacv1.RoleRef, subject rbacv1.Subject) Binding {
	return Binding{Name: BindingName(id.Name, specName, roleRef), SpecName: specName, RoleRef: roleRef, Subject: subject}
}

// inWindow reports whether validFrom <= now < validUntil, and notes when that changes.
func (r *Result) inWindow(name string, w v1alpha1.BindingWindow, now time.Time) bool {
	for _, edge := range []*metav1.Time{w.ValidFrom, w.ValidUntil} {
		if edge != nil {
			r.next(edge.Time, now)
		}
	}
	in := (w.ValidFrom == nil || !now.Before(w.ValidFrom.Time)) && (w.ValidUntil == nil || now.Before(w.ValidUntil.Time))
	if !in {
		r.OutOfTime = append(r.OutOfTime, name)
	}
	return in
}

// next notes that the answer changes at t, where that is yet to come.
func (r *Result) next(t, now time.Time) {
	if t.After(now) && (r.Next.IsZero() || t.Before(r.Next)) {
		r.Next = t
	}
}

// subject returns whom a binding names. The credential has precedence over a group, which the schema does
// not allow together: a grant to the group would outlive a revocation.
func subject(id *v1alpha1.ClientIdentity, group, credentialGroup string) rbacv1.Subject {
	switch {
	case credentialGroup != "":
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: credentialGroup}
	case group != "":
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}
	default:
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id.Spec.Username}
	}
}
