// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

const (
	countBindings corev1.ResourceName = "count/rolebindings.rbac.authorization.k8s.io"
	countRoles    corev1.ResourceName = "count/roles.rbac.authorization.k8s.io"
	countSecrets  corev1.ResourceName = "count/secrets"
)

// full lets no more objects be created in a namespace than there are, until the end of the spec or until what is returned
// is called, which lets one more.
func full(namespace string, what corev1.ResourceName) (raise func()) {
	GinkgoHelper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: uniqueName("full")}}
	quota.Spec.Hard = corev1.ResourceList{what: resource.MustParse("1000")}
	create(quota)
	counted := func() resource.Quantity {
		GinkgoHelper()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		return quota.Status.Used[what]
	}
	set := func(hard resource.Quantity) {
		GinkgoHelper()
		Eventually(func() error {
			counted()
			quota.Spec.Hard[what] = hard
			return admin.Update(ctx, quota)
		}).Should(Succeed())
		Eventually(func() string {
			counted()
			known := quota.Status.Hard[what]
			return known.String()
		}).Should(Equal(hard.String()))
	}
	var used resource.Quantity
	// What other specs left goes meanwhile.
	Eventually(func(g Gomega) {
		used = counted()
		g.Expect(quota.Status.Used).NotTo(BeEmpty())
		set(used)
		g.Consistently(counted, time.Second).Should(Equal(used))
	}).Should(Succeed())
	return func() {
		GinkgoHelper()
		more := used.DeepCopy()
		more.Add(resource.MustParse("1"))
		set(more)
	}
}

var _ = Describe("A quota that is used up", Serial, func() {
	It("of role bindings costs a revocation nothing", func() {
		name, namespace := uniqueName("quota"), createNamespace("quota")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace))
		full(namespace, countBindings)
		update(name, revoked)
		eventuallyRevoked(name)
		Eventually(has(publishedCopy(get(name)), rights...)).Should(ConsistOf(rights))
		Expect(has(leaked, rights...)()).To(BeEmpty())
	})

	It("of role bindings does not keep one that may not be changed from being deleted by a revocation, and made anew", func() {
		name, namespace := uniqueName("quota-frozen"), createNamespace("quota-frozen")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace))
		interfere(name, namespace, faults.Always(faults.Answer{Code: http.StatusForbidden}), onUpdate)
		full(namespace, countBindings)
		update(name, revoked)
		Eventually(has(leaked, rights...)).Should(BeEmpty())
		eventuallyRevoked(name)
		Eventually(has(publishedCopy(get(name)), rights...)).Should(ConsistOf(rights))
		Expect(has(leaked, rights...)()).To(BeEmpty())
	})

	It("of role bindings is told of where a binding is missing, costs no other, and ends well once it is raised", func() {
		name, namespace, other := uniqueName("quota-new"), createNamespace("quota-new"), createNamespace("quota-new")
		here, there := holder.List("configmaps", namespace), holder.List("configmaps", other)
		raise := full(namespace, countBindings)
		create(newIdentity(name, boundIn(namespace), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings[0].Name = "full"
			boundIn(other)(identity)
		}))
		Eventually(condition(name, v1alpha1.ConditionAccessBound)).Should(And(
			HavePrefix("False "+v1alpha1.ReasonBindingForbidden), ContainSubstring("exceeded quota"), ContainSubstring("raise the quota")))
		Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(HavePrefix("True "))
		current := publishedCopy(get(name))
		Eventually(has(current, here, there)).Should(ConsistOf(there))

		By("revoking meanwhile")
		update(name, revoked)
		Eventually(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix("True "))
		Eventually(has(current, here, there)).Should(BeEmpty())
		raise()
		eventuallyRevoked(name)
		Eventually(has(publishedCopy(get(name)), here, there)).Should(ConsistOf(here, there))
	})

	It("of Secrets costs a revocation nothing, and what it costs an identity that is active again is told", func() {
		name, namespace := uniqueName("quota-secret"), createNamespace("quota-secret")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace), readable)
		raise := full(operator.SecretNamespace, countSecrets)
		update(name, revoked)
		eventuallyRevoked(name)
		current := eventuallyAnother(name, leaked)
		Expect(has(leaked, rights...)()).To(BeEmpty())

		By("withdrawing it; somebody else taking its place; and activating it again")
		update(name, withdrawn)
		Eventually(condition(name, v1alpha1.ConditionWithdrawn)).Should(HavePrefix("True "))
		Eventually(has(current, rights...)).Should(BeEmpty())
		taker := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operator.SecretNamespace, Name: uniqueName("taker")}}
		Eventually(func() error { return admin.Create(ctx, taker) }).Should(Succeed())
		DeferCleanup(func() { remove(taker) })
		aSecondLater()
		update(name, revoked, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })
		Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(And(
			HavePrefix("False "+v1alpha1.ReasonSecretRejected), ContainSubstring("exceeded quota")))
		Expect(admin.Get(ctx, secretKey(name), &corev1.Secret{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		raise()
		Eventually(has(publishedCopy(eventuallyReady(name)), rights...)).Should(ConsistOf(rights))
		Expect(has(current, rights...)()).To(BeEmpty())
	})

	// It is deleted before it can be made again, and quotas notice deletions a moment later.
	It("of Secrets costs a credential whose Secret can only be replaced no more than that moment", func() {
		name := uniqueName("quota-immutable")
		create(newIdentity(name))
		first := publishedCopy(eventuallyReady(name))
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, secretKey(name), secret)).To(Succeed())
		immutable := true
		secret.Immutable = &immutable
		Expect(admin.Update(ctx, secret)).To(Succeed())
		eventuallyReady(name)
		full(operator.SecretNamespace, countSecrets)
		update(name, revoked)
		Eventually(func() string { return get(name).Status.Certificate.Fingerprint }).ShouldNot(Equal(first.Fingerprint))
		second := publishedCopy(eventuallyReady(name))
		Expect(second.Fingerprint).NotTo(Equal(first.Fingerprint))
	})

	It("of Roles is told of where the holder is to read the Secret, and ends well once it is raised", func() {
		name := uniqueName("quota-role")
		create(newIdentity(name))
		raise := full(operator.SecretNamespace, countRoles)
		eventuallyReady(name)
		update(name, readable)
		Eventually(condition(name, v1alpha1.ConditionAccessBound)).Should(And(
			HavePrefix("False "+v1alpha1.ReasonBindingForbidden), ContainSubstring("exceeded quota")))
		raise()
		current := publishedCopy(eventuallyReady(name))
		Eventually(reads(current, name)).Should(Equal(current.Fingerprint))
	})
})
