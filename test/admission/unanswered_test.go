// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	internalwebhook "github.com/clientidentity/operator/internal/webhook"
)

var _ = Describe("Without an answer from the webhook", Serial, func() {
	It("nobody creates an identity; existing ones renew, and can be withdrawn and revoked, and nothing else", func() {
		renews, ends := root(), root()
		before := eventuallyReady(renews.Name)
		eventuallyReady(ends.Name)
		_, author := newAuthor()

		By("running the operator without the webhook")
		Expect(running.Stop()).To(Succeed())
		startOperator(nil)
		DeferCleanup(func() {
			Expect(running.Stop()).To(Succeed())
			startOperator(webhook.Configure)
			Expect(webhook.Ready(ctx)).To(Succeed())
		})
		failed := MatchError(ContainSubstring(`failed calling webhook "identities.clientidentity.dev"`))
		Expect(admin.Create(ctx, newIdentity("nobody"))).To(failed)
		Expect(patch(admin, renews.Name, moveSecret)).To(failed)

		By("renewing")
		Eventually(func() error {
			return patch(author, renews.Name, func(identity *v1alpha1.ClientIdentity) {
				metav1.SetMetaDataAnnotation(&identity.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "now")
			})
		}).Should(Succeed())
		Eventually(func() int64 { return get(renews.Name).Status.Certificate.Revision }).
			Should(BeNumerically(">", before.Status.Certificate.Revision))

		By("ending access, and nothing else with it")
		Expect(patch(author, ends.Name, all(revoke, moveSecret))).To(failed)
		Expect(patch(author, ends.Name, revoke)).To(Succeed())
		Expect(patch(author, ends.Name, all(revokeAlone("a"), moveSecret))).To(failed)
		Expect(patch(author, ends.Name, revokeAlone("a"))).To(Succeed())
		Expect(patch(author, ends.Name, all(revokeAlone("b"), withdraw))).To(failed, "a is in use again")
		Expect(patch(author, ends.Name, revokeAlone("b", "a"))).To(Succeed())
		Expect(patch(author, ends.Name, revokeAlone())).To(failed)
		Expect(patch(author, ends.Name, all(withdraw, moveSecret))).To(failed)
		Expect(patch(author, ends.Name, all(withdraw, redirect))).To(failed)
		Expect(patch(author, ends.Name, withdraw)).To(Succeed())
		Eventually(func() string { return reason(ends.Name, v1alpha1.ConditionWithdrawn) }).Should(Equal(v1alpha1.ReasonWithdrawnByState))
		Expect(patch(author, ends.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })).To(failed)
	})

	It("in time, nothing is allowed, and the author is told", func() {
		setTimeout(2)
		DeferCleanup(func() { setTimeout(10) })
		reviewsHang.Store(true)
		DeferCleanup(func() { reviewsHang.Store(false) })
		began := time.Now()
		Eventually(func() error { return admin.Create(ctx, newIdentity("nobody")) }, time.Minute).
			Should(MatchError(ContainSubstring("the API server did not say in time what you may do, so nothing was changed: try again")))
		Expect(time.Since(began)).To(BeNumerically("<", time.Minute))

		By("answering again")
		reviewsHang.Store(false)
		Expect(admin.Create(ctx, newIdentity("nobody"), client.DryRunAll)).To(Succeed())
	})
})

// revokeAlone revokes certificates by fingerprints that consist of one digit, and no others.
func revokeAlone(digits ...string) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RevokedCertificates = nil
		for _, digit := range digits {
			identity.Spec.RevokedCertificates = append(identity.Spec.RevokedCertificates, v1alpha1.RevokedCertificate{Fingerprint: strings.Repeat(digit, 64)})
		}
	}
}

// setTimeout sets how long the API server waits for the webhook.
func setTimeout(seconds int32) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: internalwebhook.ConfigurationName}, configuration)).To(Succeed())
		configuration.Webhooks[0].TimeoutSeconds = ptr.To(seconds)
		g.Expect(admin.Update(ctx, configuration)).To(Succeed())
	}).Should(Succeed())
}

var _ = Describe("The largest identity", func() {
	It("is answered within the deadline", func() {
		user, author := newAuthor()
		largest := newIdentity(uniqueName("large"))
		for i := range 32 {
			largest.Spec.Groups = append(largest.Spec.Groups, "group-"+strings.Repeat("x", i))
		}
		for i := range 64 {
			name := "b" + strings.Repeat("x", i%60) + strings.Repeat("y", i/60)
			largest.Spec.RoleBindings = append(largest.Spec.RoleBindings,
				v1alpha1.RoleBinding{Name: name, Namespace: name, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: name}})
			largest.Spec.ClusterRoleBindings = append(largest.Spec.ClusterRoleBindings,
				v1alpha1.ClusterRoleBinding{Name: name, RoleRef: v1alpha1.ClusterRoleRef{Name: name}})
		}
		Expect(author.Create(ctx, largest.DeepCopy())).To(beRefused(`gives more than user "` + user + `" holds`))
		Expect(admin.Create(ctx, largest, client.DryRunAll)).To(Succeed())
	})
})
