// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/property"
)

var _ = Describe("Whether the leaked copy is dead", func() {
	It("is answered with yes while the identity is active and something was revoked, and not asked otherwise", func() {
		name, namespace := uniqueName("answer"), createNamespace("answer")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace), readable)
		Expect(condition(name, property.RevocationComplete)()).To(BeEmpty())
		update(name, revoked)
		eventuallyRevoked(name)
		Eventually(has(leaked, rights...), "5s").Should(BeEmpty())
		cannotRead(leaked, name)

		update(name, withdrawn)
		Eventually(condition(name, "Withdrawn")).Should(HavePrefix("True "))
		Expect(condition(name, property.RevocationComplete)()).To(BeEmpty())
	})

	It("is answered with no, and until when, where the bindings name the user", func() {
		name, namespace := uniqueName("by-name"), createNamespace("by-name")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace), boundToUsername)
		update(name, revoked)
		eventuallyAnother(name, leaked)
		Eventually(condition(name, property.RevocationComplete)).Should(And(
			HavePrefix("False "+property.OlderCertificatesValid+": "), ContainSubstring(leaked.NotAfter.UTC().Format(time.RFC3339))))
		Expect(has(leaked, rights...)()).To(ConsistOf(rights))

		By("binding to the credential instead")
		update(name, boundToCredential)
		eventuallyRevoked(name)
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		Eventually(has(publishedCopy(get(name)), rights...)).Should(ConsistOf(rights))
	})
})
