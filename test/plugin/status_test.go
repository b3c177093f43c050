// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("status", func() {
	It("says what is wanted, what is issued, what comes next and what is in the way", func() {
		identity := newIdentity("told", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: "default", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
		})
		seen := newPerson("reader").may(identity, "status").run("status", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(HavePrefix(identity.Name + "   Ready\n"))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^  User +%s$`, identity.Spec.Username))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^Role bindings \(1 in place\)\n  view   ClusterRole view   in namespace default$`))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^  1 +in 89d +in \d+d +published +%s$`, identity.Status.Certificate.Fingerprint))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^  in \d+d   \S+   the operator issues a new certificate, and publishes it$`))
		Expect(seen.stdout).To(HaveSuffix("In the way\n  Nothing.\n"))
	})

	It("names what stands in the way, and what to do", func() {
		identity := unready("stopped", func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = "nowhere" })
		Eventually(func() v1alpha1.ObservedState { return get(identity.Name).Status.State }).Should(Equal(v1alpha1.ObservedStalled))
		person := newPerson("reader").may(identity, "status")
		seen := person.run("status", identity.Name)
		Expect(seen.stdout).To(MatchRegexp(`(?m)^  SecretNamespaceNotAllowed   the operator may not publish Secrets in namespace "nowhere"`))
		Expect(seen.stdout).To(ContainSubstring("  ->   Set secret.namespace to one of them, or add it.\n"))

		stopOperator()
		// This needs no webhook.
		Expect(admin.Patch(ctx, identity, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"state":"Withdrawn"}}`)))).To(Succeed())
		Expect(person.run("status", identity.Name).stdout).To(ContainSubstring("NotObserved   the operator has not looked at the newest spec yet"))
	})

	It("helps those who misspell a name", func() {
		identity := newIdentity("misspelt")
		Expect(newPerson("reader").may(identity, "list").run("status", "mispelt").stderr).To(ContainSubstring("get clientidentities.clientidentity.dev"))
		both := newPerson("reader").may(identity, "list")
		both.grant("", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, Verbs: []string{"get"}})
		Expect(both.run("status", "x"+identity.Name).stderr).To(ContainSubstring("did you mean " + identity.Name))
	})
})
