// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/holder"
)

// stripLabels takes all labels off an object.
func stripLabels(object client.Object) {
	GinkgoHelper()
	Expect(admin.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`)))).To(Succeed())
}

// everywhereBinding returns the cluster-wide binding of an identity.
func everywhereBinding(name string) *rbacv1.ClusterRoleBinding {
	GinkgoHelper()
	var list rbacv1.ClusterRoleBindingList
	Expect(admin.List(ctx, &list, client.MatchingLabels{v1alpha1.IdentityLabel: name})).To(Succeed())
	Expect(list.Items).To(HaveLen(1))
	return &list.Items[0]
}

var _ = Describe("Bindings that lost their labels while the operator was down", Serial, func() {
	DescribeTable("end all the same",
		func(end change) {
			name, namespace := uniqueName("unlabelled"), createNamespace("unlabelled")
			here, everywhere := holder.List("configmaps", namespace), holder.List("configmaps", "")
			leaked := leak(name, []holder.Right{here, everywhere}, boundIn(namespace), boundEverywhere)
			withoutOperator(func() {
				stripLabels(bindingIn(name, namespace))
				stripLabels(everywhereBinding(name))
				update(name, end)
			})
			Eventually(has(leaked, here, everywhere)).Should(BeEmpty())
		},
		Entry("where the spec asks for them no longer", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings, identity.Spec.ClusterRoleBindings = nil, nil
		}),
		Entry("where they are bound to another role", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings[0].RoleRef.Name, identity.Spec.ClusterRoleBindings[0].RoleRef.Name = "system:discovery", "system:discovery"
		}),
		Entry("where access is withdrawn", withdrawn),
		Entry("where the credential is revoked", revoked),
	)

	It("end where a selector does not select their namespace any more", func() {
		name, namespace := uniqueName("unselected"), createNamespace("unselected")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{
				Name: "view", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
				NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"purpose": "unselected"}},
			}}
		})
		withoutOperator(func() {
			stripLabels(bindingIn(name, namespace))
			stripLabels(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		})
		Eventually(has(leaked, rights...)).Should(BeEmpty())
	})

	It("end where the holder may not read the Secret any more", func() {
		name := uniqueName("unreadable")
		leaked := leak(name, nil, readable)
		withoutOperator(func() {
			stripLabels(bindingIn(name, secretKey(name).Namespace))
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.HolderCanRead = false })
		})
		cannotRead(leaked, name)
	})
})
