// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("withdraw and activate", func() {
	It("take the access away, show what is left, and give it back", func() {
		identity := newIdentity("leaver")
		left := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: uniqueName("left")}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: identity.Spec.Username}},
		}
		create(left)
		person := newPerson("desk").may(identity, "withdraw")
		Expect(person.run("withdraw", identity.Name, "--dry-run=server")).To(Equal(result{stdout: identity.Name + ": its access is asked to be taken away (server dry run)\n"}))
		Expect(get(identity.Name).Spec.State).To(Equal(v1alpha1.StateActive))

		seen := person.run("withdraw", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(get(identity.Name).Status.State).To(Equal(v1alpha1.ObservedWithdrawn))
		Expect(seen.stdout).To(HavePrefix(identity.Name + ": withdrawn: its role bindings and its Secret are gone\n"))
		Expect(seen.stdout).To(ContainSubstring("The API server denies requests with its certificates, which are valid until "))
		Expect(seen.stdout).To(MatchRegexp(`ClusterRoleBinding +- +` + left.Name + `\n`))
		Expect(seen.stdout).To(ContainSubstring("kubectl clientidentity offboard " + identity.Spec.Username))

		By("withdrawing again, which changes nothing")
		Expect(person.run("withdraw", identity.Name).code).To(BeZero())

		By("activating it as somebody who does not hold what it gives")
		seen = person.run("activate", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("impersonate"))
		Expect(get(identity.Name).Spec.State).To(Equal(v1alpha1.StateWithdrawn))

		person.may(identity, "activate")
		seen = person.run("activate", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		after := get(identity.Name)
		Expect(after.Spec.RevokeIssuedBefore).NotTo(BeNil(), "older certificates are revoked")
		Expect(seen.stdout).To(Equal(fmt.Sprintf("%s: active: a new kubeconfig is in Secret client-identities/%s-kubeconfig, with a certificate that is valid until %s\n",
			identity.Name, identity.Name, after.Status.Certificate.NotAfter.UTC().Format("2006-01-02T15:04:05Z"))))
		Expect(seen.stderr).NotTo(ContainSubstring("Warning"))

		seen = person.run("activate", identity.Name)
		Expect(seen.code).To(BeZero())
		Expect(seen.stderr).To(ContainSubstring("it is active already: nothing is changed"))
		Expect(get(identity.Name).Spec.RevokeIssuedBefore).To(Equal(after.Spec.RevokeIssuedBefore))
	})

	It("warns of older certificates that have their rights back", func() {
		identity := newIdentity("kept")
		person := newPerson("desk").may(identity, "withdraw").may(identity, "activate")
		Expect(person.run("withdraw", identity.Name).code).To(BeZero())
		seen := person.run("activate", identity.Name, "--keep-older-certificates")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(get(identity.Name).Spec.RevokeIssuedBefore).To(BeNil())
		Expect(seen.stderr).To(ContainSubstring("Warning: certificates from before have their rights back, until "))
	})

	It("says what else keeps an identity from being active", func() {
		identity := newIdentity("over")
		person := newPerson("desk").may(identity, "activate")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.AccessUntil = &metav1.Time{Time: metav1.Now().Add(-1)}
		})
		seen := person.run("activate", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(MatchRegexp(`cannot be made active: spec.accessUntil \(.*\) has passed: move the end first`))
	})
})
