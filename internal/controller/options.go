// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
)

// AllNamespaces stands for every namespace in Options.SecretNamespaces.
const AllNamespaces = "*"

// mayPublishIn says whether Secrets may be published in a namespace.
func (o *Options) mayPublishIn(namespace string) bool {
	return slices.Contains(o.SecretNamespaces, AllNamespaces) || slices.Contains(o.SecretNamespaces, namespace)
}

// protectedNamespaces are those that a selector of a role binding never selects, since the keys of many are in them.
// Where Secrets may be anywhere, that is the default one: selectors would select nothing otherwise.
func (o *Options) protectedNamespaces() sets.Set[string] {
	if slices.Contains(o.SecretNamespaces, AllNamespaces) {
		return sets.New(o.DefaultSecretNamespace)
	}
	return sets.New(o.SecretNamespaces...)
}
