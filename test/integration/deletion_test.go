// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("Deleting an identity", func() {
	var (
		name, namespace string
		identity        *v1alpha1.ClientIdentity
		// made are recordings of everything that is made for the identity.
		made []*recorder
	)
	BeforeEach(func() {
		name, namespace = uniqueName("leaver"), createNamespace("leaver", nil)
		create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view")))
		identity = eventuallyReady(name)
		made = nil
		for _, list := range []client.ObjectList{
			&corev1.SecretList{}, &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleBindingList{}, &certificatesv1.CertificateSigningRequestList{},
		} {
			made = append(made, record(list, client.MatchingLabels(ourLabels(name))))
		}
	})
	expectNothingLeft := func() {
		GinkgoHelper()
		Eventually(uidOf(identity)).Should(BeEmpty())
		Eventually(bindingsOf(name)).Should(BeEmpty())
		Eventually(secretsOf(name)).Should(BeEmpty())
	}
	expectNothingMade := func() {
		GinkgoHelper()
		for _, r := range made {
			// The events of what was there speak of one object each.
			Expect(r.created()).To(BeNumerically("<=", 1), "objects came back: %v", r.seen())
		}
	}

	It("in the foreground ends at once, with nothing left, and nothing comes back meanwhile", func() {
		Expect(admin.Delete(ctx, identity, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		expectNothingLeft()
		expectNothingMade()
	})

	It("ends the access also where somebody's finalizer keeps the identity", func() {
		credential := holder(identity)
		Expect(may(credential, "list", "", "configmaps", namespace)).To(BeTrue())
		change(identity, func(identity *v1alpha1.ClientIdentity) { identity.Finalizers = []string{plantedFinalizer} })
		DeferCleanup(release, identity)
		Expect(admin.Delete(ctx, identity)).To(Succeed())
		Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonDeleting, "the identity is being deleted"))
		Expect(bindingsOf(name)()).To(BeEmpty())
		Expect(secretsOf(name)()).To(BeEmpty())
		Expect(state(name, v1alpha1.ConditionReady)()).To(BeEmpty())
		Eventually(may).WithArguments(credential, "list", "", "configmaps", namespace).Should(BeFalse())
		requestRenewal(name)
		Consistently(secretsOf(name)).Should(BeEmpty())
		expectNothingMade()
		release(identity)
		expectNothingLeft()
	})

	It("leaves nothing where the operator is down: the garbage collector sees to it", func() {
		credential := holder(identity)
		stopOperator()
		Expect(admin.Delete(ctx, identity)).To(Succeed())
		expectNothingLeft()
		Expect(may(credential, "list", "", "configmaps", namespace)).To(BeFalse())
		startOperator()
		Consistently(secretsOf(name)).Should(BeEmpty())
		expectNothingMade()
	}, Serial)

	It("takes its open request with it", func() {
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.SignerName = nobodySigns })
		request := openRequest(name)
		Expect(admin.Delete(ctx, identity)).To(Succeed())
		expectNothingLeft()
		Eventually(uidOf(request)).Should(BeEmpty())
	})

	It("with --cascade=orphan is refused, since its grants would stay for ever", func() {
		Expect(admin.Delete(ctx, identity, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(
			MatchError(ContainSubstring("a ClientIdentity cannot be deleted with --cascade=orphan: its role bindings and its Secret would stay for ever")))
		eventuallyReady(name)
	})
})
