// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

type option = func(*v1alpha1.ClientIdentity)

// identity builds alice as the API server hands her over, defaults applied, with what the options add.
func identity(options ...option) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{}
	id.Name = "alice"
	id.Spec.Username = "alice@example.com"
	id.Spec.TTL.Duration = 2160 * time.Hour
	id.Spec.BindTo = v1alpha1.BindToUsername
	id.Spec.State = v1alpha1.StateActive
	id.Spec.Secret.KubeconfigKey = "kubeconfig"
	for _, option := range options {
		option(id)
	}
	return id
}

func groups(names ...string) option {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.Groups = names }
}

func role(name, namespace, kind, roleName string, changes ...func(*v1alpha1.RoleBinding)) option {
	return func(id *v1alpha1.ClientIdentity) {
		b := v1alpha1.RoleBinding{Name: name, Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: kind, Name: roleName}}
		for _, change := range changes {
			change(&b)
		}
		id.Spec.RoleBindings = append(id.Spec.RoleBindings, b)
	}
}

func clusterRole(name, roleName string) option {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.ClusterRoleBindings = append(id.Spec.ClusterRoleBindings,
			v1alpha1.ClusterRoleBinding{Name: name, RoleRef: v1alpha1.ClusterRoleRef{Name: roleName}})
	}
}

func selected(b *v1alpha1.RoleBinding) {
	b.NamespaceSelector = &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}}
}

func forGroup(group string) func(*v1alpha1.RoleBinding) {
	return func(b *v1alpha1.RoleBinding) { b.Group = group }
}

func window(from, until *metav1.Time) func(*v1alpha1.RoleBinding) {
	return func(b *v1alpha1.RoleBinding) { b.ValidFrom, b.ValidUntil = from, until }
}

func secretAt(namespace, name string) option {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Namespace, id.Spec.Secret.Name = namespace, name }
}

// day returns a day of December 2026.
func day(n int) *metav1.Time {
	return &metav1.Time{Time: time.Date(2026, 12, n, 0, 0, 0, 0, time.UTC)}
}
