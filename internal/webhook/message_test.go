// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func equal(a, b *v1alpha1.ClientIdentity) bool { return equality.Semantic.DeepEqual(a, b) }

func TestRefusalNamesEverythingThatIsMissing(t *testing.T) {
	asked := identity(groups("team-b", "team-a"), clusterRole("read", "view"),
		role("edit", "dev", "ClusterRole", "edit"), role("admin", "dev", "ClusterRole", "admin"), secretAt("prod", "x"))
	got := Refusal("lead@example.com", asked.Name, false, Required(asked, "client-identities"))
	want := `ClientIdentity "alice" gives more than user "lead@example.com" holds. An administrator can grant what is missing, as rules of a ClusterRole, bound by a ClusterRoleBinding:
- {apiGroups: [""], resources: [groups], verbs: [impersonate], resourceNames: ["team-a", "team-b"]}
- {apiGroups: [""], resources: [users], verbs: [impersonate], resourceNames: ["alice@example.com"]}
- {apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterrolebindings], verbs: [create]}
- {apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterroles], verbs: [bind], resourceNames: ["view"]}
and of a Role in namespace dev, bound by a RoleBinding there:
- {apiGroups: ["rbac.authorization.k8s.io"], resources: [clusterroles], verbs: [bind], resourceNames: ["admin", "edit"]}
- {apiGroups: ["rbac.authorization.k8s.io"], resources: [rolebindings], verbs: [create]}
and of a Role in namespace prod, bound by a RoleBinding there:
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], verbs: [update], resourceNames: ["x"]}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if update := Refusal("lead", "alice", true, Required(asked, "")); !strings.Contains(update, "checked like a new identity") {
		t.Errorf("a refused update does not say why it is checked: %s", update)
	}
}

func TestRefusalHoldsRulesThatCanBePasted(t *testing.T) {
	asked := identity(groups(`a: "b", c]`, "'*'"))
	_, rules, _ := strings.Cut(Refusal("lead", "alice", false, Required(asked, "client-identities")), ":\n")
	var got []rbacv1.PolicyRule
	if err := yaml.UnmarshalStrict([]byte(rules), &got); err != nil {
		t.Fatalf("%v in\n%s", err, rules)
	}
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"groups"}, Verbs: []string{"impersonate"}, ResourceNames: []string{"'*'", `a: "b", c]`}},
		{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}, ResourceNames: []string{"alice@example.com"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	unwise := identity(clusterRole("all", "cluster-admin"), role("dev", "dev", "ClusterRole", "cluster-admin"), secretAt("kube-system", ""))
	unwise.Spec.TTL.Duration = longTTL + 1
	want := []string{
		"spec.ttl is over 90 days (2160h)",
		"spec.clusterRoleBindings[all] gives every right in the cluster",
		"spec.roleBindings[dev] gives every right in its namespace",
		"spec.secret.namespace is kube-system, where many can read Secrets",
	}
	got := Warnings(&unwise.Spec)
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	for name, wise := range map[string]*v1alpha1.ClientIdentity{
		"the defaults":                  identity(groups("a"), clusterRole("read", "view")),
		"a Role of the name of a great": identity(role("dev", "dev", "Role", "cluster-admin")),
	} {
		if got := Warnings(&wise.Spec); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}
