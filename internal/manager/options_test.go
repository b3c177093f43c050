// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

func TestSecretNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		// want is what is wrong; empty for nothing.
		want    string
		watched []string
	}{
		"by default, one":                   {nil, "", []string{"client-identities"}},
		"several":                           {[]string{"--secret-namespaces=client-identities,team-a"}, "", []string{"client-identities", "team-a"}},
		"all":                               {[]string{"--secret-namespaces=*"}, "", []string{cache.AllNamespaces}},
		"all, with another default":         {[]string{"--secret-namespaces=*", "--default-secret-namespace=keys"}, "", []string{cache.AllNamespaces}},
		"all, with a default that is none":  {[]string{"--secret-namespaces=*", "--default-secret-namespace=Keys"}, `"Keys" is no name of a namespace`, nil},
		"all and one more":                  {[]string{"--secret-namespaces=*,client-identities"}, "* stands for all namespaces, so name no other", nil},
		"none":                              {[]string{"--secret-namespaces="}, "names no namespace", nil},
		"a pattern":                         {[]string{"--secret-namespaces=client-identities,team-*"}, `"team-*" is no name of a namespace`, nil},
		"a default that is not one of them": {[]string{"--secret-namespaces=team-a"}, `"client-identities" must be one of --secret-namespaces (team-a)`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			options := DefaultOptions()
			flags := flag.NewFlagSet("manager", flag.ContinueOnError)
			options.BindFlags(flags)
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			err := options.Validate()
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			for object, by := range cacheOptions(options).ByObject {
				switch object.(type) {
				case *corev1.Secret, *rbacv1.Role:
					var watched []string
					for namespace := range by.Namespaces {
						watched = append(watched, namespace)
					}
					slices.Sort(watched)
					if !slices.Equal(watched, test.watched) {
						t.Errorf("%T is watched in %q, want %q", object, watched, test.watched)
					}
				}
			}
		})
	}
}
