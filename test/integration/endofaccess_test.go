// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// withdrawn takes the access away.
func withdrawn(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn }

// away returns a moment that is so far away, in the whole seconds that the API keeps.
func away(by time.Duration) *metav1.Time {
	return &metav1.Time{Time: time.Now().Add(by).Truncate(time.Second)}
}

var _ = Describe("The end of access", func() {
	Context("by state", func() {
		It("takes bindings and Secret, says so, and is undone by a new certificate and key", func() {
			name, namespace := uniqueName("withdrawn"), createNamespace("withdrawn", nil)
			create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view"), func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
			}))
			before := eventuallyReady(name)
			old, key := holder(before), publishedSecret(before).Data[v1alpha1.PrivateKeyKey]
			Expect(may(old, "list", "", "configmaps", namespace)).To(BeTrue())
			update(name, withdrawn)
			Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState,
				"spec.state is Withdrawn: role bindings and Secret are gone"))
			Expect(bindingsOf(name)()).To(BeEmpty())
			Expect(secretsOf(name)()).To(BeEmpty())
			identity := get(name)
			for _, absent := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionCertificateIssued, v1alpha1.ConditionAccessBound,
				v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
				Expect(state(name, absent)()).To(BeEmpty(), absent)
			}
			Expect(identity.Status.Certificate).To(BeNil())
			Expect(identity.Status.Certificates).To(HaveLen(1), "what an auditor needs")
			Expect(identity.Status.OutstandingUntil).To(Equal(before.Status.OutstandingUntil))
			Eventually(may).WithArguments(old, "list", "", "configmaps", namespace).Should(BeFalse())
			requestRenewal(name)
			Consistently(secretsOf(name)).Should(BeEmpty())

			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })
			after := eventuallyReady(name)
			Expect(state(name, v1alpha1.ConditionWithdrawn)()).To(BeEmpty())
			Expect(bytes.Equal(publishedSecret(after).Data[v1alpha1.PrivateKeyKey], key)).To(BeFalse(), "the key is the same")
			Expect(may(holder(after), "list", "", "configmaps", namespace)).To(BeTrue())
		})

		It("is not done while somebody's finalizer holds a binding, which grants nothing any more, or the Secret", func() {
			name, namespace := uniqueName("withheld"), createNamespace("withheld", nil)
			create(newIdentity(name, boundIn(namespace, "view")))
			identity := eventuallyReady(name)
			old, secret, binding := holder(identity), publishedSecret(identity), devBinding(name, namespace, "view")
			change(binding, func(b *rbacv1.RoleBinding) { b.Finalizers = []string{plantedFinalizer} })
			change(secret, func(s *corev1.Secret) { s.Finalizers = []string{plantedFinalizer} })
			DeferCleanup(release, binding)
			DeferCleanup(release, secret)
			update(name, withdrawn)
			Eventually(state(name, v1alpha1.ConditionReady)).Should(And(
				begin(metav1.ConditionFalse, v1alpha1.ReasonBindingTerminating, "spec.state is Withdrawn: "),
				ContainSubstring(`RoleBinding "`+namespace+"/"+binding.Name+`" is being deleted but has finalizers: remove them`)))
			Eventually(may).WithArguments(old, "list", "", "configmaps", namespace).Should(BeFalse())
			release(binding)
			Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonWithdrawing,
				`spec.state is Withdrawn: secret "`+secret.Namespace+"/"+secret.Name+`" is being deleted but has finalizers: remove them`))
			Expect(state(name, v1alpha1.ConditionWithdrawn)()).To(BeEmpty())
			release(secret)
			Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState, ""))
		})

		It("tells what others still grant the user and its groups", func() {
			name, namespace := uniqueName("residual"), createNamespace("residual", nil)
			create(newIdentity(name, boundIn(namespace, "view"), func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"team-" + name} }))
			identity := eventuallyReady(name)
			byUser, byGroup := devBinding(name, namespace, "edit", user(identity.Spec.Username)), allBinding(name, "view", groupSubject("team-"+name))
			byUser.Name, byGroup.Name = name+"-by-user", name+"-by-group"
			create(byUser, byGroup)
			update(name, withdrawn)
			Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState,
				"spec.state is Withdrawn: role bindings and Secret are gone; 2 role bindings of others still grant this user or one of its groups something: see status.residualAccess"))
			residual := get(name).Status.ResidualAccess
			Expect(residual).NotTo(BeNil())
			Expect(residual.Bindings).To(ConsistOf(
				v1alpha1.BindingReference{Kind: "ClusterRoleBinding", Name: byGroup.Name},
				v1alpha1.BindingReference{Kind: "RoleBinding", Namespace: namespace, Name: byUser.Name}))
			Expect(residual.Total).To(BeEquivalentTo(2))
		})
	})

	Context("by accessUntil", func() {
		It("is outlived by no certificate", func() {
			name, until := uniqueName("until"), away(30*time.Minute)
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = until }))
			identity := eventuallyReady(name)
			Expect(leafOf(publishedSecret(identity).Data[v1alpha1.CertificateKey]).NotAfter).NotTo(BeTemporally(">", until.Time))

			By("being moved forward: the certificate is replaced by one that ends in time")
			sooner := away(15 * time.Minute)
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = sooner })
			after := eventuallyRenewed(identity)
			Expect(leafOf(publishedSecret(after).Data[v1alpha1.CertificateKey]).NotAfter).NotTo(BeTemporally(">", sooner.Time))
		})

		It("leaves an identity without access from the start where it has passed", func() {
			name, until := uniqueName("past"), away(-time.Hour)
			create(newIdentity(name, boundClusterWide("view"), func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = until }))
			Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonAccessEnded,
				"spec.accessUntil ("+until.UTC().Format(time.RFC3339)+") has passed"))
			Expect(requestsOf(name)()).To(BeEmpty())
			Expect(bindingsOf(name)()).To(BeEmpty())
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = nil })
			expectUser(eventuallyReady(name))
		})

		It("lets nothing be requested in its last ten minutes, and ends the access when it comes", func() {
			fresh, name, namespace := uniqueName("near-fresh"), uniqueName("near"), createNamespace("near", nil)
			near := func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = away(4 * time.Second) }
			create(newIdentity(name, boundIn(namespace, "view")))
			old := holder(eventuallyReady(name))
			Expect(may(old, "list", "", "configmaps", namespace)).To(BeTrue())
			update(name, near)
			create(newIdentity(fresh, near))
			words := "no certificate is requested in the last ten minutes before accessUntil ("
			Eventually(state(fresh, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonAccessEnding, words))
			Expect(state(name, v1alpha1.ConditionCertificateIssued)()).To(begin(metav1.ConditionTrue, v1alpha1.ReasonAccessEnding, words))
			for _, each := range []string{fresh, name} {
				Eventually(state(each, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonAccessEnded, ""))
				Expect(secretsOf(each)()).To(BeEmpty())
			}
			Expect(requestsOf(fresh)()).To(BeEmpty())
			Expect(requestsOf(name)()).To(HaveLen(1))
			Eventually(may).WithArguments(old, "list", "", "configmaps", namespace).Should(BeFalse())
		})
	})
})
