// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// AllNamespaces stands for every namespace in Places.Namespaces.
const AllNamespaces = "*"

// Places are where Secrets may be published.
type Places struct {
	// Namespaces are the ones that Secrets may be published in.
	Namespaces []string
	// Default is used where spec.secret.namespace is empty.
	Default string
}

// Allow says whether Secrets may be published in a namespace.
func (p Places) Allow(namespace string) bool {
	return slices.Contains(p.Namespaces, AllNamespaces) || slices.Contains(p.Namespaces, namespace)
}

// Protected are the namespaces that a selector of a role binding never selects, since the keys of many are in them.
// Where Secrets may be anywhere, that is the default one: selectors would select nothing otherwise.
func (p Places) Protected() sets.Set[string] {
	if slices.Contains(p.Namespaces, AllNamespaces) {
		return sets.New(p.Default)
	}
	return sets.New(p.Namespaces...)
}

// NamespaceOf returns the namespace that the Secret of an identity belongs in.
func (p Places) NamespaceOf(identity *v1alpha1.ClientIdentity) string {
	return cmp.Or(identity.Spec.Secret.Namespace, p.Default)
}

// Of returns where the Secret of an identity belongs, and a problem where the operator may not write there, or nil.
func (p Places) Of(identity *v1alpha1.ClientIdentity) (client.ObjectKey, *problem.Problem) {
	place := client.ObjectKey{Namespace: p.NamespaceOf(identity), Name: cmp.Or(identity.Spec.Secret.Name, identity.Name+"-kubeconfig")}
	if p.Allow(place.Namespace) {
		return place, nil
	}
	return place, problem.NewStalled(v1alpha1.ReasonSecretNamespaceNotAllowed,
		"the operator may not publish Secrets in namespace %q, only in %s: set spec.secret.namespace to one of them, or add it to --secret-namespaces",
		place.Namespace, strings.Join(p.Namespaces, ", "))
}
