// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestHolder(t *testing.T) {
	id := identity(func(id *v1alpha1.ClientIdentity) { id.Spec.Groups = []string{"developers"} })
	who := HolderOf(id, &v1alpha1.ClientIdentityStatus{Certificates: []v1alpha1.IssuedCertificate{{Groups: []string{"developers"}}, {Groups: []string{"formerly", "team-a"}}}})
	user := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "User", Name: name} }
	group := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: name} }

	for name, test := range map[string]struct {
		subjects []rbacv1.Subject
		want     bool
	}{
		"is the user":                                  {[]rbacv1.Subject{user("alice@example.com")}, true},
		"is in a group of the spec":                    {[]rbacv1.Subject{group("developers")}, true},
		"is in a group of a certificate that is valid": {[]rbacv1.Subject{group("team-a")}, true},
		"is one of several":                            {[]rbacv1.Subject{user("bob"), group("others"), group("formerly")}, true},
		"is nobody where there is nobody":              {nil, false},
		"is nobody else":                               {[]rbacv1.Subject{user("bob"), group("others")}, false},
		"is no group of that name":                     {[]rbacv1.Subject{group("alice@example.com")}, false},
		"is no user of the name of a group":            {[]rbacv1.Subject{user("developers")}, false},
		"is no account of that name":                   {[]rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "dev", Name: "alice@example.com"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := who.Among(test.subjects); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
