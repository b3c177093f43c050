// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

// neverEnding is the last time that the schema lets through.
func neverEnding(identity *v1alpha1.ClientIdentity) {
	identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
}

var _ = Describe("A revocation that lies in the future", Serial, func() {
	BeforeEach(func() {
		By("nobody looking at the time")
		Expect(admin.DeleteAllOf(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
			client.MatchingLabels{"app.kubernetes.io/component": "policy"})).To(Succeed())
		DeferCleanup(restorePolicies)
	})

	It("that slipped through revokes what there is, and another one follows", func() {
		name, namespace := uniqueName("slipped"), createNamespace("slipped")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		first := leak(name, rights, boundIn(namespace), readable)
		Eventually(func() error { return patch(name, neverEnding) }).Should(Succeed())
		second := eventuallyAnother(name, first)
		Eventually(has(first, rights...)).Should(BeEmpty())
		cannotRead(first, name)
		Eventually(has(second, rights...)).Should(ConsistOf(rights))

		By("revoking again, now")
		restorePolicies()
		took := time.Now()
		Eventually(time.Now).Should(BeTemporally(">", took.Add(2*time.Second)), "whole seconds count")
		update(name, revoked)
		third := eventuallyAnother(name, second)
		Eventually(has(second, rights...)).Should(BeEmpty())
		cannotRead(second, name)
		Expect(has(first, rights...)()).To(BeEmpty())
		Eventually(has(third, rights...)).Should(ConsistOf(rights))
		Eventually(reads(third, name)).Should(Equal(third.Fingerprint))
		eventuallyRevoked(name)
	})

	It("that an identity was created with is followed by another one as well", func() {
		name, namespace := uniqueName("born-late"), createNamespace("born-late")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		var first *holder.Copy
		Eventually(func() error {
			return admin.Create(ctx, newIdentity(uniqueName("probe"), neverEnding), client.DryRunAll)
		}).Should(Succeed())
		first = leak(name, rights, boundIn(namespace), neverEnding)
		took := time.Now()
		Eventually(time.Now).Should(BeTemporally(">", took.Add(2*time.Second)), "whole seconds count")
		update(name, revoked)
		second := eventuallyAnother(name, first)
		Eventually(has(first, rights...)).Should(BeEmpty())
		Eventually(has(second, rights...)).Should(ConsistOf(rights))
		eventuallyRevoked(name)
	})
})

// restorePolicies installs what config/policy ships.
func restorePolicies() {
	GinkgoHelper()
	Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/policy")).To(Succeed())
}
