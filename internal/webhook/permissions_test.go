// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const rbac = "rbac.authorization.k8s.io"

func TestRequired(t *testing.T) {
	alice := Permission{Verb: "impersonate", Resource: "users", Name: "alice@example.com"}
	tests := map[string]struct {
		given *v1alpha1.ClientIdentity
		want  []Permission // besides alice
	}{
		"a bare user":                     {given: identity()},
		"the default Secret, spelled out": {given: identity(secretAt("client-identities", "alice-kubeconfig"))},
		"groups": {
			given: identity(groups("b", "a")),
			want: []Permission{
				{Verb: "impersonate", Resource: "groups", Name: "a"},
				{Verb: "impersonate", Resource: "groups", Name: "b"},
				alice,
			},
		},
		"a ClusterRole and a Role in a namespace": {
			given: identity(role("edit", "dev", "ClusterRole", "edit"), role("deploy", "dev", "Role", "deployer")),
			want: []Permission{
				alice,
				{Verb: "bind", APIGroup: rbac, Resource: "clusterroles", Namespace: "dev", Name: "edit"},
				{Verb: "create", APIGroup: rbac, Resource: "rolebindings", Namespace: "dev"},
				{Verb: "bind", APIGroup: rbac, Resource: "roles", Namespace: "dev", Name: "deployer"},
			},
		},
		"a selector takes the right in every namespace": {
			given: identity(role("edit", "", "ClusterRole", "edit", selected)),
			want: []Permission{
				alice,
				{Verb: "bind", APIGroup: rbac, Resource: "clusterroles", Name: "edit"},
				{Verb: "create", APIGroup: rbac, Resource: "rolebindings"},
			},
		},
		"a cluster-wide binding": {
			given: identity(clusterRole("read", "view")),
			want: []Permission{
				alice,
				{Verb: "create", APIGroup: rbac, Resource: "clusterrolebindings"},
				{Verb: "bind", APIGroup: rbac, Resource: "clusterroles", Name: "view"},
			},
		},
		"a binding of one of the groups takes no more": {
			given: identity(groups("a"), role("edit", "dev", "ClusterRole", "edit", forGroup("a"))),
			want: []Permission{
				{Verb: "impersonate", Resource: "groups", Name: "a"},
				alice,
				{Verb: "bind", APIGroup: rbac, Resource: "clusterroles", Namespace: "dev", Name: "edit"},
				{Verb: "create", APIGroup: rbac, Resource: "rolebindings", Namespace: "dev"},
			},
		},
		"the same role in the same place is asked for once": {
			given: identity(role("one", "dev", "ClusterRole", "edit"), role("two", "dev", "ClusterRole", "edit", window(day(1), day(2)))),
			want: []Permission{
				alice,
				{Verb: "bind", APIGroup: rbac, Resource: "clusterroles", Namespace: "dev", Name: "edit"},
				{Verb: "create", APIGroup: rbac, Resource: "rolebindings", Namespace: "dev"},
			},
		},
		"a Secret elsewhere": {
			given: identity(secretAt("dev", "")),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "dev"},
				{Verb: "update", Resource: "secrets", Namespace: "dev", Name: "alice-kubeconfig"},
			},
		},
		"invitations beside the Secret of every identity": {
			given: identity(secretAt("client-identities", ""), func(id *v1alpha1.ClientIdentity) { id.Spec.PrivateKey.Source = v1alpha1.SourceHolder }),
		},
		"invitations elsewhere": {
			given: identity(secretAt("dev", ""), func(id *v1alpha1.ClientIdentity) { id.Spec.PrivateKey.Source = v1alpha1.SourceHolder }),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "dev"},
				{Verb: "update", Resource: "secrets", Namespace: "dev", Name: "alice-kubeconfig"},
				{Verb: "create", Resource: "serviceaccounts", Namespace: "dev"},
			},
		},
		"a Secret of another name": {
			given: identity(secretAt("", "bob-kubeconfig")),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "client-identities"},
				{Verb: "update", Resource: "secrets", Namespace: "client-identities", Name: "bob-kubeconfig"},
			},
		},
		"a label on the Secret, which may mean something to another tool": {
			given: identity(func(id *v1alpha1.ClientIdentity) {
				id.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"argocd.argoproj.io/secret-type": "cluster"}
			}),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "client-identities"},
				{Verb: "update", Resource: "secrets", Namespace: "client-identities", Name: "alice-kubeconfig"},
			},
		},
		"a format that another tool acts on": {
			given: identity(func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Format = v1alpha1.FormatArgoCDCluster }),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "client-identities"},
				{Verb: "update", Resource: "secrets", Namespace: "client-identities", Name: "alice-kubeconfig"},
			},
		},
		"the format that every Secret has": {
			given: identity(func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Format = v1alpha1.FormatKubeconfig }),
		},
		"an annotation on the Secret": {
			given: identity(func(id *v1alpha1.ClientIdentity) {
				id.Spec.Secret.Annotations = map[string]v1alpha1.AnnotationValue{"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}
			}),
			want: []Permission{
				alice,
				{Verb: "create", Resource: "secrets", Namespace: "client-identities"},
				{Verb: "update", Resource: "secrets", Namespace: "client-identities", Name: "alice-kubeconfig"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := test.want
			if want == nil {
				want = []Permission{alice}
			}
			if diff := cmp.Diff(want, Required(test.given, "client-identities")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheLargestIdentityStaysWithinTheBound(t *testing.T) {
	largest := identity(secretAt("dev", "x"))
	largest.Spec.PrivateKey.Source = v1alpha1.SourceHolder
	for i := range 32 {
		largest.Spec.Groups = append(largest.Spec.Groups, fmt.Sprint("group-", i))
	}
	for i := range 64 {
		name := fmt.Sprint("b-", i)
		role(name, name, "ClusterRole", name)(largest)
		clusterRole(name, name)(largest)
	}
	// One right to make ClusterRoleBindings serves them all.
	if got, want := len(Required(largest, "client-identities")), maxPermissions-63; got != want {
		t.Errorf("%d permissions, want %d", got, want)
	}
}
