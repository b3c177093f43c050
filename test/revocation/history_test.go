// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/property"
)

var _ = Describe("A certificate that lives long", Serial, func() {
	It("is not forgotten after many newer ones: its groups, its end, and what others grant it", func() {
		name, namespace := uniqueName("long"), createNamespace("long")
		old := "team-" + name
		long := leak(name, nil, boundToUsername, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{old} })
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "of-somebody-else"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: old}},
		}
		create(binding)
		rights := []holder.Right{holder.List("configmaps", namespace)}
		Eventually(has(long, rights...)).Should(ConsistOf(rights))

		By("leaving the group, and twelve shorter certificates")
		update(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups, identity.Spec.TTL.Duration = nil, 4*time.Hour
		})
		latest := eventuallyAnother(name, long)
		DeferCleanup(func() { ahead.by.Store(0) })
		for range 12 {
			// The clock goes on, so that no limit on certificates is met.
			ahead.step(301 * time.Second)
			update(name, func(identity *v1alpha1.ClientIdentity) {
				metav1.SetMetaDataAnnotation(&identity.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, ahead.Now().Format(time.RFC3339Nano))
			})
			latest = eventuallyAnother(name, latest)
		}
		Expect(get(name).Status.Certificates).To(ContainElement(And(
			HaveField("Groups", ContainElement(old)),
			WithTransform(func(c v1alpha1.IssuedCertificate) time.Time { return c.NotAfter.Time }, BeTemporally("~", long.NotAfter, time.Second)),
		)), "the status does not know any more of the certificate that lives longest, and of its group")

		By("revoking, which says until when the oldest is valid")
		update(name, revoked)
		Eventually(condition(name, property.RevocationComplete)).Should(And(
			HavePrefix("False "+property.OlderCertificatesValid+": "), ContainSubstring(long.NotAfter.UTC().Format(time.RFC3339))))

		By("withdrawing, which says what the old group is granted by others")
		update(name, withdrawn)
		Eventually(condition(name, v1alpha1.ConditionWithdrawn)).Should(HavePrefix("True "))
		Expect(get(name).Status.ResidualAccess.Bindings).To(ConsistOf(
			v1alpha1.BindingReference{Kind: "RoleBinding", Namespace: namespace, Name: binding.Name}))
		Expect(has(long, rights...)()).To(ConsistOf(rights), "the test itself is wrong")
	})
})
