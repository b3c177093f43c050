// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const credential = "clientidentity.dev:0123:0"

var (
	now        = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	namespaces = []Namespace{
		{Name: "web-2", Labels: map[string]string{"team": "a", "tier": "web"}},
		{Name: "web-1", Labels: map[string]string{"team": "a", "tier": "web"}},
		{Name: "data", Labels: map[string]string{"team": "b"}},
		{Name: "plain"},
		{Name: "leaving", Labels: map[string]string{"team": "a"}, Terminating: true},
		{Name: "kube-system", Labels: map[string]string{"team": "a"}},
		{Name: "client-identities", Labels: map[string]string{"team": "a"}},
	}
	protected = sets.New("client-identities")
)

// identity builds alice, with what the options add.
func identity(options ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	id := &v1alpha1.ClientIdentity{}
	id.Name = "alice"
	id.Spec.Username = "alice@example.com"
	id.Spec.BindTo = v1alpha1.BindToUsername
	id.Spec.State = v1alpha1.StateActive
	for _, option := range options {
		option(id)
	}
	return id
}

type option = func(*v1alpha1.ClientIdentity)

func toCredential(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToCredential }

func withdrawn(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }

func beingDeleted(id *v1alpha1.ClientIdentity) { id.DeletionTimestamp = &metav1.Time{Time: now} }

func until(end time.Time) option {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = &metav1.Time{Time: end} }
}

func in(namespace string) option {
	return role(v1alpha1.RoleBinding{Name: "dev", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"}})
}

func role(b v1alpha1.RoleBinding) option {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.RoleBindings = append(id.Spec.RoleBindings, b) }
}

func clusterRole(b v1alpha1.ClusterRoleBinding) option {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.ClusterRoleBindings = append(id.Spec.ClusterRoleBindings, b)
	}
}

func selecting(s v1alpha1.NamespaceSelector) option {
	return role(v1alpha1.RoleBinding{Name: "sel", NamespaceSelector: &s, RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "deployer"}})
}

func matching(key, operator string, values ...v1alpha1.LabelValue) option {
	return selecting(v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceSelectorRequirement{{Key: key, Operator: operator, Values: values}}})
}

// show writes a binding as namespace:binding -> Kind/role @ Kind/subject.
func show(bindings []Binding) []string {
	var lines []string
	for _, b := range bindings {
		lines = append(lines, b.Namespace+":"+b.SpecName+" -> "+b.RoleRef.Kind+"/"+b.RoleRef.Name+" @ "+b.Subject.Kind+"/"+b.Subject.Name)
	}
	return lines
}

func TestDesired(t *testing.T) {
	team := v1alpha1.RoleBinding{Name: "team", Namespace: "data", Group: "team-a", RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "deployer"}}
	read := v1alpha1.ClusterRoleBinding{Name: "read", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}
	teamRead := v1alpha1.ClusterRoleBinding{Name: "team-read", Group: "team-a", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}
	web := []string{"web-1:sel -> Role/deployer @ User/alice@example.com", "web-2:sel -> Role/deployer @ User/alice@example.com"}

	tests := map[string]struct {
		given *v1alpha1.ClientIdentity
		want  []string
		gaps  []string
	}{
		"binds nothing where nothing is asked":           {given: identity()},
		"binds the user in a namespace":                  {given: identity(in("data")), want: []string{"data:dev -> ClusterRole/edit @ User/alice@example.com"}},
		"binds the user in the cluster":                  {given: identity(clusterRole(read)), want: []string{":read -> ClusterRole/view @ User/alice@example.com"}},
		"binds a group instead":                          {given: identity(role(team), clusterRole(teamRead)), want: []string{":team-read -> ClusterRole/view @ Group/team-a", "data:team -> Role/deployer @ Group/team-a"}},
		"binds the credential instead of the user":       {given: identity(in("data"), clusterRole(read), toCredential), want: []string{":read -> ClusterRole/view @ Group/" + credential, "data:dev -> ClusterRole/edit @ Group/" + credential}},
		"binds the credential whatever group is asked":   {given: identity(role(team), toCredential), want: []string{"data:team -> Role/deployer @ Group/" + credential}},
		"binds in a protected namespace asked by name":   {given: identity(in("client-identities")), want: []string{"client-identities:dev -> ClusterRole/edit @ User/alice@example.com"}},
		"binds in kube-system asked by name":             {given: identity(in("kube-system")), want: []string{"kube-system:dev -> ClusterRole/edit @ User/alice@example.com"}},
		"waits for a namespace that does not exist":      {given: identity(in("later"), clusterRole(read)), want: []string{":read -> ClusterRole/view @ User/alice@example.com"}, gaps: []string{`role binding "dev" waits for namespace "later", which does not exist: create it or remove the binding`}},
		"waits for a namespace that is being deleted":    {given: identity(in("leaving")), gaps: []string{`role binding "dev" waits for namespace "leaving", which is being deleted: create it again or remove the binding`}},
		"selects by labels, not what is protected":       {given: identity(selecting(v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}})), want: web},
		"selects by labels and expressions together":     {given: identity(selecting(v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "b"}, MatchExpressions: []v1alpha1.NamespaceSelectorRequirement{{Key: "tier", Operator: "Exists"}}}))},
		"selects with In":                                {given: identity(matching("team", "In", "a", "c")), want: web},
		"selects with NotIn, also without the label":     {given: identity(matching("team", "NotIn", "a")), want: []string{"data:sel -> Role/deployer @ User/alice@example.com", "plain:sel -> Role/deployer @ User/alice@example.com"}},
		"selects with Exists":                            {given: identity(matching("tier", "Exists")), want: web},
		"selects with DoesNotExist":                      {given: identity(matching("team", "DoesNotExist")), want: []string{"plain:sel -> Role/deployer @ User/alice@example.com"}},
		"finds no fault where nothing is selected yet":   {given: identity(matching("team", "In", "z"))},
		"reports an operator that there is none of":      {given: identity(matching("team", "Near", "a")), gaps: []string{`role binding "sel" selects no namespace: namespaceSelector cannot be used: "Near" is not a valid label selector operator`}},
		"never takes an empty selector for all":          {given: identity(selecting(v1alpha1.NamespaceSelector{})), gaps: []string{`role binding "sel" selects no namespace: namespaceSelector must not be empty`}},
		"never takes no namespace for the whole cluster": {given: identity(in("")), gaps: []string{`role binding "dev" selects no namespace: set namespace or namespaceSelector`}},
		"binds nothing once withdrawn":                   {given: identity(in("data"), withdrawn)},
		"binds nothing while being deleted":              {given: identity(in("data"), beingDeleted)},
		"binds nothing from accessUntil on":              {given: identity(in("data"), until(now))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			group := ""
			if test.given.Spec.BindTo == v1alpha1.BindToCredential {
				group = credential
			}
			got := Desired(test.given, namespaces, protected, group, now)
			if diff := cmp.Diff(test.want, show(got.Bindings)); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
			var gaps []string
			for _, gap := range got.Missing {
				gaps = append(gaps, gap.String())
			}
			if diff := cmp.Diff(test.gaps, gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDesiredIsWhatTheAPIServerStores(t *testing.T) {
	got := Desired(identity(in("data")), namespaces, nil, "", now).Bindings
	want := []Binding{{
		Namespace: "data", Name: "clientidentity:alice:dev:29f624cbf1", SpecName: "dev",
		RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "edit"},
		Subject: rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "alice@example.com"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDesiredIsStable(t *testing.T) {
	id := identity(in("data"), matching("team", "Exists"), role(v1alpha1.RoleBinding{Name: "b", Namespace: "no"}), role(v1alpha1.RoleBinding{Name: "a", Namespace: "no"}))
	want := Desired(id, namespaces, protected, "", now)
	reversed := slices.Clone(namespaces)
	slices.Reverse(id.Spec.RoleBindings)
	slices.Reverse(reversed)
	if diff := cmp.Diff(want, Desired(id, reversed, protected, "", now)); diff != "" {
		t.Errorf("another order of spec and namespaces gives another result (-want +got):\n%s", diff)
	}
}

// Its holder is not interrupted: see BoundGroup.
func TestDesiredBindsTheUserWhereNoCredentialGroupIsToBeBound(t *testing.T) {
	got := Desired(identity(in("data"), toCredential), namespaces, protected, "", now)
	if diff := cmp.Diff([]string{"data:dev -> ClusterRole/edit @ User/alice@example.com"}, show(got.Bindings)); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

func TestDesiredInItsTime(t *testing.T) {
	from, until, end := now.Add(time.Hour), now.Add(2*time.Hour), now.Add(3*time.Hour)
	window := v1alpha1.BindingWindow{ValidFrom: &metav1.Time{Time: from}, ValidUntil: &metav1.Time{Time: until}}
	id := identity(
		clusterRole(v1alpha1.ClusterRoleBinding{Name: "timed", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}, BindingWindow: window}),
		role(v1alpha1.RoleBinding{Name: "timed", Namespace: "data", RoleRef: v1alpha1.RoleRef{Kind: "Role", Name: "x"}, BindingWindow: window}),
		in("data"),
		func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = &metav1.Time{Time: end} })

	tests := map[string]struct {
		at   time.Time
		want int
		next time.Time
	}{
		"does not exist before validFrom":          {at: from.Add(-1), want: 1, next: from},
		"exists from the instant of validFrom":     {at: from, want: 3, next: until},
		"exists up to validUntil":                  {at: until.Add(-1), want: 3, next: until},
		"ends at the instant of validUntil":        {at: until, want: 1, next: end},
		"leaves the others until accessUntil":      {at: end.Add(-1), want: 1, next: end},
		"everything ends at the end, for good":     {at: end, want: 0},
		"and stays so, with nothing to wait for":   {at: end.Add(time.Hour), want: 0},
		"knows long before what comes first, once": {at: now.Add(-1000 * time.Hour), want: 1, next: from},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Desired(id, namespaces, protected, "", test.at)
			if len(got.Bindings) != test.want || !got.Next.Equal(test.next) {
				t.Errorf("got %d bindings, next change %s; want %d, %s", len(got.Bindings), got.Next, test.want, test.next)
			}
		})
	}
	if got := Desired(identity(in("data")), namespaces, protected, "", now); !got.Next.IsZero() {
		t.Errorf("an identity without times changes at %s", got.Next)
	}
}

func TestBindingName(t *testing.T) {
	clusterRole := func(name string) rbacv1.RoleRef { return rbacv1.RoleRef{Kind: "ClusterRole", Name: name} }
	names := map[string]string{
		"the base":                BindingName("a", "b", clusterRole("edit")),
		"another role":            BindingName("a", "b", clusterRole("view")),
		"another kind of role":    BindingName("a", "b", rbacv1.RoleRef{Kind: "Role", Name: "edit"}),
		"another binding":         BindingName("a", "c", clusterRole("edit")),
		"another identity":        BindingName("b", "b", clusterRole("edit")),
		"the boundary moved left": BindingName("a.b", "c", clusterRole("edit")),
		"the boundary moved back": BindingName("a", "b-c", clusterRole("edit")),
		"names joined otherwise":  BindingName("a-b", "c", clusterRole("edit")),
		"a role with a colon":     BindingName("a", "b", clusterRole("system:edit")),
	}
	seen := map[string]string{}
	for what, name := range names {
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s have the same name %s", what, other, name)
		}
		seen[name] = what
		if strings.Count(name, ":") != 3 {
			t.Errorf("%s: %q does not have exactly three colons, so its parts can be read in two ways", what, name)
		}
	}
	longest := BindingName(strings.Repeat("a", 63), strings.Repeat("b", 63), clusterRole(strings.Repeat("c", 253)))
	if len(longest) != 153 {
		t.Errorf("the longest name has %d characters, want 153", len(longest))
	}
}
