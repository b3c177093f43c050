// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

var _ = Describe("can-i", func() {
	It("answers as the certificate is seen, with the credential group", func() {
		namespace := uniqueName("asked")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		identity := newIdentity("asked", bound(namespace))
		person := newPerson("asking").may(identity, "can-i")
		for _, test := range []struct {
			args   []string
			answer string
			reason string
		}{
			{[]string{"get", "pods", "-n", namespace}, "yes", "RBAC: allowed by RoleBinding"},
			{[]string{"delete", "pod/one", "-n", namespace}, "yes", "allowed by RoleBinding"},
			{[]string{"update", "deploy/web", "--subresource", "scale", "-n", namespace}, "yes", "allowed by RoleBinding"},
			{[]string{"get", "pods"}, "no", ""},
			{[]string{"get", "pods", "-A"}, "no", ""},
			{[]string{"delete", "nodes", "-n", namespace}, "no", ""},
			{[]string{"get", "/version"}, "yes", "allowed by ClusterRoleBinding"},
			{[]string{"get", "gadgets", "-n", namespace}, "no", `Warning: this cluster has no resource "gadgets"`},
		} {
			seen := person.run(append([]string{"can-i", identity.Name}, test.args...)...)
			Expect(seen.stdout).To(Equal(test.answer+"\n"), "%v: %s", test.args, seen.stderr)
			Expect(seen.code).To(Equal(map[string]int{"yes": 0, "no": 1}[test.answer]))
			Expect(seen.stderr).To(ContainSubstring(test.reason))
			Expect(seen.stderr).NotTo(ContainSubstring("error:"))
		}
	})

	It("knows what the API server denies, although others grant it", func() {
		namespace := uniqueName("denied")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		identity := newIdentity("denied")
		create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "others", Namespace: namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: identity.Spec.Username}},
		})
		person := newPerson("asking").may(identity, "can-i")
		Eventually(func() string { return person.run("can-i", identity.Name, "get", "pods", "-n", namespace).stdout }).Should(Equal("yes\n"))

		update(identity.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn })
		eventually(identity.Name, v1alpha1.ConditionWithdrawn, metav1.ConditionTrue)
		seen := person.run("can-i", identity.Name, "get", "pods", "-n", namespace)
		Expect(seen.stdout).To(Equal("no\n"), seen.stderr)
		Expect(seen.stderr).To(And(ContainSubstring("The identity has no access (spec.state is Withdrawn)"), ContainSubstring("has no access any more (StateWithdrawn)")))
		// Who is asked about without the certificate's groups is not denied.
		Expect(allowedByRBAC(identity.Spec.Username, namespace)).To(BeTrue())
	})

	It("lists all that RBAC lets the holder do, for those who may impersonate it", func() {
		namespace := uniqueName("listed")
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		identity := newIdentity("listed", bound(namespace))
		person := newPerson("asking").may(identity, "can-i")
		seen := person.run("can-i", identity.Name, "--list", "-n", namespace)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("--verb=impersonate --resource=users --resource-name=" + identity.Spec.Username))
		Expect(seen.stderr).To(ContainSubstring("--verb=impersonate --resource=groups --resource-name=" + access.WantedGroup(identity)))

		By("doing what it says")
		obey(seen.stderr)
		Eventually(func() int {
			seen = person.run("can-i", identity.Name, "--list", "-n", namespace)
			return seen.code
		}).Should(BeZero())
		Expect(seen.stdout).To(HavePrefix("RESOURCES "))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^pods +- +- +.*delete`))
	})

	It("says what it needs", func() {
		identity := newIdentity("short")
		person := newPerson("asking").may(identity, "can-i")
		Expect(person.run("can-i", identity.Name, "get").stderr).To(ContainSubstring("a verb and a resource are needed"))
		Expect(person.run("can-i", identity.Name, "--list", "get", "pods").code).To(Equal(1))
		nobody := newPerson("nobody")
		nobody.grant("", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, Verbs: []string{"get"}})
		Expect(nobody.run("can-i", identity.Name, "get", "pods").stderr).To(ContainSubstring("create subjectaccessreviews.authorization.k8s.io"))
	})
})

// allowedByRBAC asks as kubectl auth can-i --as does.
func allowedByRBAC(user, namespace string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Namespace: namespace},
	}}
	Expect(admin.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}
