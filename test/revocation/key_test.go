// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/property"
)

var _ = Describe("A revocation of certificates that were issued before some time ago", func() {
	It("makes a new key, also with rotationPolicy: Never: the leaked one would fit the next certificate", func() {
		name, namespace := uniqueName("never"), createNamespace("never")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace), keepsKey)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration = time.Hour })
		renewed := eventuallyAnother(name, leaked)
		Expect(renewed.Key).To(Equal(leaked.Key), "the key was not kept, though nothing was revoked")

		update(name, revokedAsOf(time.Hour))
		current := eventuallyAnother(name, renewed)
		Expect(current.Key).NotTo(Equal(leaked.Key), "the key outlived the revocation")
		eventuallyRevoked(name)
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		Eventually(has(renewed, rights...)).Should(BeEmpty())
		Eventually(has(current, rights...)).Should(ConsistOf(rights))
	})

	It("makes a new key where it comes with another change, and the one after that as well", func() {
		name := uniqueName("never-twice")
		leaked := leak(name, nil, keepsKey)
		update(name, revokedAsOf(2*time.Hour), func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration = time.Hour })
		second := eventuallyAnother(name, leaked)
		Expect(second.Key).NotTo(Equal(leaked.Key), "the key outlived the revocation")
		update(name, revokedAsOf(time.Hour))
		Expect(eventuallyAnother(name, second).Key).NotTo(BeElementOf(leaked.Key, second.Key), "the key outlived the revocation")
	})

	DescribeTable("together with the switch to bindTo: Credential bites at once, also while no signer answers",
		func(ago time.Duration) {
			name, namespace := uniqueName("switch"), createNamespace("switch")
			rights := []holder.Right{holder.List("configmaps", namespace)}
			leaked := leak(name, rights, boundIn(namespace), boundToUsername)
			stopSigner()
			update(name, boundToCredential, revokedAsOf(ago))
			Eventually(has(leaked, rights...)).Should(BeEmpty())
			Eventually(condition(name, property.RevocationComplete)).Should(HavePrefix("True " + property.Revoked + ": "))

			By("the signer answering")
			startSigner()
			current := eventuallyAnother(name, leaked)
			eventuallyRevoked(name)
			Eventually(has(current, rights...)).Should(ConsistOf(rights))
			Expect(has(leaked, rights...)()).To(BeEmpty())
		},
		Entry("now", time.Duration(0)),
		Entry("an hour ago", time.Hour),
	)

	It("bites at once where nothing else changes, also while no signer answers, and nobody reads the Secret meanwhile", func() {
		name, namespace := uniqueName("unsigned"), createNamespace("unsigned")
		rights := []holder.Right{holder.List("configmaps", namespace), holder.List("configmaps", "")}
		leaked := leak(name, rights, boundIn(namespace), boundEverywhere, readable)
		stopSigner()
		update(name, revokedAsOf(time.Hour))
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		cannotRead(leaked, name)
		Eventually(condition(name, property.RevocationComplete)).Should(HavePrefix("True " + property.Revoked + ": "))
		startSigner()
		current := eventuallyAnother(name, leaked)
		eventuallyRevoked(name)
		Eventually(reads(current, name)).Should(Equal(current.Fingerprint))
		Expect(has(leaked, rights...)()).To(BeEmpty())
	})
})

// stopSigner stops the controller manager, so that nothing is signed until startSigner, or the end of the spec.
func stopSigner() {
	GinkgoHelper()
	Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
	DeferCleanup(startSigner)
}

func startSigner() {
	GinkgoHelper()
	Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
}
