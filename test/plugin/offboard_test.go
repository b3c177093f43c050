// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("offboard", func() {
	It("finds what grants a user or its groups something, withdraws ours, and says what is left", func() {
		team := uniqueName("team")
		identity := newIdentity("leaver", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{team}
			identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "own", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}}}
		})
		colleague := newIdentity("colleague", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{team}
			identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "team", RoleRef: v1alpha1.ClusterRoleRef{Name: "view"}, Group: team}}
		})
		namespace := uniqueName("place")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		byHand := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "by-hand"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects: []rbacv1.Subject{
				{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: identity.Spec.Username},
				{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "somebody"},
			},
		}
		create(byHand)
		person := newPerson("desk").may(identity, "offboard")

		By("looking")
		seen := person.run("offboard", identity.Spec.Username)
		Expect(seen.code).To(Equal(1))
		user := "user " + identity.Spec.Username
		for _, row := range [][]string{
			{"ClientIdentity", "-", identity.Name, "active, certificates until"},
			{"ClusterRoleBinding", "-", "clientidentity:" + identity.Name + ":own", "ClusterRole view", user, "ClientIdentity " + identity.Name},
			{"ClusterRoleBinding", "-", "clientidentity:" + colleague.Name + ":team", "ClusterRole view", "group " + team, "ClientIdentity " + colleague.Name},
			{"RoleBinding", namespace, "by-hand", "ClusterRole edit", user + " (and 1 more)", "others"},
		} {
			Expect(seen.stdout).To(haveRow(row...))
		}
		Expect(seen.stderr).To(Equal("error: user \"" + identity.Spec.Username + "\" has access by 1 of its identities (--yes withdraws them), 1 role bindings of them, " +
			"2 role bindings of others, which are theirs to take away\n"))
		Expect(get(identity.Name).Spec.State).To(Equal(v1alpha1.StateActive), "looking changes nothing")

		By("looking as a program")
		list := &corev1.List{}
		Expect(json.Unmarshal([]byte(person.run("offboard", identity.Spec.Username, "-o", "json").stdout), list)).To(Succeed())
		Expect(list.Items).To(HaveLen(4))

		By("taking away what is ours")
		seen = person.run("offboard", identity.Spec.Username, "--yes")
		Expect(seen.code).To(Equal(1))
		Expect(get(identity.Name).Status.State).To(Equal(v1alpha1.ObservedWithdrawn))
		Expect(get(colleague.Name).Status.State).To(Equal(v1alpha1.ObservedReady))
		Expect(seen.stdout).To(haveRow("ClientIdentity", "-", identity.Name, "withdrawn, certificates until"))
		Expect(seen.stdout).NotTo(ContainSubstring(":own"))
		Expect(seen.stderr).To(ContainSubstring("has access by 2 role bindings of others, which are theirs to take away"))

		By("looking when the others have done their part")
		Expect(admin.Delete(ctx, byHand)).To(Succeed())
		update(colleague.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.ClusterRoleBindings = nil })
		eventuallyReady(colleague.Name)
		seen = person.run("offboard", identity.Spec.Username)
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(HaveSuffix("Nothing grants user " + identity.Spec.Username + " anything, but what every user has.\n"))
	})

	It("looks for users and groups that no identity has", func() {
		identity := newIdentity("nobody")
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: uniqueName("admins")}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "their-admins"}},
		}
		create(binding)
		person := newPerson("desk").may(identity, "offboard")
		seen := person.run("offboard", "bob@example.com", "--group", "their-admins")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring(`No ClientIdentity has the user "bob@example.com": groups are known of identities alone, see --group`))
		Expect(seen.stdout).To(haveRow("ClusterRoleBinding", "-", binding.Name, "ClusterRole view", "group their-admins", "others"))
	})

	It("does not say that nothing is left to somebody who may not look", func() {
		identity := newIdentity("hidden")
		seen := newPerson("viewer").may(identity, "renew").run("offboard", identity.Spec.Username)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring("Missing permission of user"))
		Expect(seen.stderr).To(ContainSubstring("list clientidentities.clientidentity.dev"))

		By("withdrawing as somebody who may only look")
		looker := newPerson("looker")
		looker.grant("", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, Verbs: []string{"get", "list"}})
		looker.grant("", rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterrolebindings", "rolebindings"}, Verbs: []string{"list"}})
		seen = looker.run("offboard", identity.Spec.Username, "--yes")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(haveRow("ClientIdentity", "-", identity.Name, "active"))
		Expect(seen.stderr).To(ContainSubstring("patch clientidentities.clientidentity.dev"))
	})
})

// haveRow matches a table with a row of cells that begin so.
func haveRow(cells ...string) gomegatypes.GomegaMatcher {
	pattern := `(?m)^`
	for i, cell := range cells {
		if i > 0 {
			pattern += `\S* +`
		}
		pattern += regexp.QuoteMeta(cell)
	}
	return MatchRegexp(pattern)
}
