// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

func TestSecretNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		namespaces              []string
		publishesIn, publishNot []string
		protected               []string
	}{
		"some": {[]string{"client-identities", "team-a"}, []string{"client-identities", "team-a"}, []string{"team-b", "*", ""}, []string{"client-identities", "team-a"}},
		"all":  {[]string{AllNamespaces}, []string{"client-identities", "team-a"}, nil, []string{"client-identities"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{SecretNamespaces: test.namespaces, DefaultSecretNamespace: "client-identities"}
			for _, namespace := range slices.Concat(test.publishesIn, test.publishNot) {
				if want := slices.Contains(test.publishesIn, namespace); options.mayPublishIn(namespace) != want {
					t.Errorf("publishes in %q: %t, want %t", namespace, !want, want)
				}
			}
			if got := sets.List(options.protectedNamespaces()); !slices.Equal(got, test.protected) {
				t.Errorf("protected are %q, want %q", got, test.protected)
			}
		})
	}
}
