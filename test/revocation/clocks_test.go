// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
)

// skewed sets the operator's clock off those of the API server and the signer until what is returned is called.
func skewed(by time.Duration) (mend func()) {
	ahead.by.Store(int64(by))
	mend = func() { ahead.by.Store(0) }
	DeferCleanup(mend)
	return mend
}

// lasting asks for certificates of a lifetime.
func lasting(ttl time.Duration) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL = metav1.Duration{Duration: ttl} }
}

// askedToRenew asks for another certificate, without the wait after failures.
func askedToRenew(identity *v1alpha1.ClientIdentity) {
	identity.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now"}
}

var _ = Describe("With an operator whose clock is wrong", Serial, func() {
	DescribeTable("a revocation is complete all the same",
		func(by, ttl time.Duration, publishes bool) {
			name, namespace := uniqueName("skewed"), createNamespace("skewed")
			rights := []holder.Right{holder.List("configmaps", namespace)}
			leaked := leak(name, rights, boundIn(namespace), readable, lasting(ttl))
			mend := skewed(by)
			update(name, revoked)
			Eventually(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix("True "))
			Eventually(has(leaked, rights...)).Should(BeEmpty())
			cannotRead(leaked, name)
			if !publishes {
				By("nothing being published that the operator takes for invalid, and saying so")
				Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(ContainSubstring(" " + v1alpha1.ReasonCertificateRejected + ": "))
				Expect(publishedCopy(get(name)).Fingerprint).To(Equal(leaked.Fingerprint))
				mend()
				update(name, askedToRenew)
			}
			current := eventuallyAnother(name, leaked)
			Eventually(has(current, rights...)).Should(ConsistOf(rights))
			Eventually(reads(current, name)).Should(Equal(current.Fingerprint))
			mend()
			eventuallyRevoked(name)
		},
		Entry("an hour ahead", time.Hour, 24*time.Hour, true),
		Entry("an hour ahead, with certificates that it takes for expired", time.Hour, 10*time.Minute, false),
		Entry("half a minute behind", -30*time.Second, 24*time.Hour, true),
		Entry("an hour behind", -time.Hour, 24*time.Hour, false),
	)

	It("no certificate outlives the end of access by its signer's clock", func() {
		name := uniqueName("until")
		mend := skewed(-4 * time.Minute)
		until := time.Now().Add(15 * time.Minute).Truncate(time.Second)
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.AccessUntil = &metav1.Time{Time: until} }))
		Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(HavePrefix("False " + v1alpha1.ReasonOutlivesAccess + ": "))
		mend()
		update(name, askedToRenew)
		Expect(publishedCopy(eventuallyReady(name)).NotAfter).NotTo(BeTemporally(">", until))
	})
})
