// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/property"
)

const (
	onUpdate = admissionregistrationv1.Update
	onDelete = admissionregistrationv1.Delete
)

var _ = Describe("A revocation whose bindings can neither be changed nor deleted", func() {
	DescribeTable("publishes nothing that the leaked copy could read, says which binding, and ends well once it can",
		func(answer faults.Answer) {
			name, namespace := uniqueName("stuck-reader"), createNamespace("stuck-reader")
			rights := []holder.Right{holder.List("configmaps", namespace)}
			leaked := leak(name, rights, readable, boundIn(namespace))
			reader := bindingIn(name, operator.SecretNamespace)
			end := interfere(name, operator.SecretNamespace, faults.Always(answer), onUpdate, onDelete)
			spy := sendSpy(leaked, name)
			update(name, revoked)

			By("taking what can be taken, and publishing nothing")
			Eventually(has(leaked, rights...)).Should(BeEmpty())
			Consistently(func() string { return publishedCopy(get(name)).Fingerprint }).Should(Equal(leaked.Fingerprint))
			Expect(spy.found()).To(BeEmpty(), "the revoked copy has read kubeconfigs that are not its own")

			By("saying so")
			Eventually(condition(name, property.RevocationComplete)).Should(And(
				HavePrefix("False "+property.BindingNotRevoked+": "), ContainSubstring(reader.Name)))
			// Once the next certificate is signed, and waits.
			Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(ContainSubstring(" " + property.BindingNotRevoked + ": "))
			Expect(condition(name, v1alpha1.ConditionReady)()).To(HavePrefix("False "))

			By("the binding being open to changes again")
			end()
			eventuallyRevoked(name)
			current := publishedCopy(get(name))
			Expect(current.Fingerprint).NotTo(Equal(leaked.Fingerprint))
			cannotRead(leaked, name)
			Eventually(reads(current, name)).Should(Equal(current.Fingerprint))
			Eventually(has(current, rights...)).Should(ConsistOf(rights))
			spy.expectNothing()
		},
		Entry("since a policy webhook refuses it", faults.Answer{Code: http.StatusForbidden}),
		Entry("since a policy webhook is down", faults.Answer{Drop: true}),
		Entry("since a policy webhook calls it a conflict", faults.Answer{Code: http.StatusConflict}),
	)

	It("publishes nothing either where the binding grants something else, and others could still be changed", func() {
		name, namespace, other := uniqueName("stuck"), createNamespace("stuck"), createNamespace("stuck")
		here, there := holder.List("configmaps", namespace), holder.List("configmaps", other)
		leaked := leak(name, []holder.Right{here, there}, func(identity *v1alpha1.ClientIdentity) {
			boundIn(namespace)(identity)
			identity.Spec.RoleBindings[0].Name = "held"
			boundIn(other)(identity)
		})
		end := interfere(name, namespace, faults.Always(faults.Answer{Code: http.StatusForbidden}), onUpdate, onDelete)
		update(name, revoked)
		Eventually(has(leaked, here, there)).Should(ConsistOf(here))
		Consistently(func() string { return publishedCopy(get(name)).Fingerprint }).Should(Equal(leaked.Fingerprint))
		Eventually(condition(name, property.RevocationComplete)).Should(And(
			HavePrefix("False "+property.BindingNotRevoked+": "), ContainSubstring(bindingIn(name, namespace).Name)))
		end()
		eventuallyRevoked(name)
		Expect(has(leaked, here, there)()).To(BeEmpty())
		Eventually(has(publishedCopy(get(name)), here, there)).Should(ConsistOf(here, there))
	})
})

var _ = Describe("A revocation whose bindings are slow to change", func() {
	It("takes the right to read the Secret first, so that the copy never sees the next kubeconfig", func() {
		const namespaces = 40
		name := uniqueName("slow")
		var rights []holder.Right
		for range namespaces {
			// They sort before the Secret's namespace: an order by name would leave the reader's binding for last.
			rights = append(rights, holder.List("configmaps", createNamespace("a-slow")))
		}
		leaked := leak(name, rights, readable, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{
				Name: "view", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
				NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"purpose": "a-slow"}},
			}}
		})
		end := interfere(name, "", faults.Always(faults.Answer{Delay: time.Second}), onUpdate, onDelete)
		spy := sendSpy(leaked, name)
		update(name, revoked)
		cannotRead(leaked, name)
		Expect(publishedCopy(get(name)).Fingerprint).To(Equal(leaked.Fingerprint), "the next kubeconfig was published before that")

		By("the last binding being changed before the next kubeconfig is published")
		Eventually(func() string { return publishedCopy(get(name)).Fingerprint }, 3*time.Minute).ShouldNot(Equal(leaked.Fingerprint))
		Expect(bindingsNaming(name, leaked)).To(BeEmpty())
		end()
		eventuallyRevoked(name)
		Expect(has(leaked, rights...)()).To(BeEmpty())
		spy.expectNothing()
	})
})

var _ = Describe("A binding that may be deleted and not changed", func() {
	DescribeTable("is deleted by a revocation, and made anew",
		func(answer faults.Answer) {
			name, namespace := uniqueName("frozen"), createNamespace("frozen")
			rights := []holder.Right{holder.List("configmaps", namespace)}
			leaked := leak(name, rights, boundIn(namespace))
			interfere(name, namespace, faults.Always(answer), onUpdate)
			update(name, revoked)
			Eventually(has(leaked, rights...)).Should(BeEmpty())
			eventuallyRevoked(name)
			Eventually(has(publishedCopy(get(name)), rights...)).Should(ConsistOf(rights))
			Expect(has(leaked, rights...)()).To(BeEmpty())
		},
		Entry("whatever the refusal is: 400", faults.Answer{Code: http.StatusBadRequest}),
		Entry("whatever the refusal is: 403", faults.Answer{Code: http.StatusForbidden}),
		Entry("whatever the refusal is: 404", faults.Answer{Code: http.StatusNotFound}),
		Entry("whatever the refusal is: 409", faults.Answer{Code: http.StatusConflict}),
		Entry("whatever the refusal is: 422", faults.Answer{Code: http.StatusUnprocessableEntity}),
		Entry("whatever the refusal is: 429", faults.Answer{Code: http.StatusTooManyRequests}),
		Entry("whatever the refusal is: 500", faults.Answer{Code: http.StatusInternalServerError}),
		Entry("since the webhook is down", faults.Answer{Drop: true}),
	)

	It("is deleted by a revocation where a ValidatingAdmissionPolicy calls the change invalid", func() {
		name, namespace := uniqueName("policy"), createNamespace("policy")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace))
		freeze(namespace)
		Eventually(func() error {
			return touch(bindingIn(name, namespace))
		}).Should(MatchError(ContainSubstring("nothing changes here")))
		update(name, revoked)
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		eventuallyRevoked(name)
		Eventually(has(publishedCopy(get(name)), rights...)).Should(ConsistOf(rights))
	})
})
