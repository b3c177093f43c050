// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package overlays

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// bound binds a ClusterRole in team-a.
func bound(role string) func(*v1alpha1.ClientIdentitySpec) {
	return func(spec *v1alpha1.ClientIdentitySpec) {
		spec.RoleBindings = []v1alpha1.RoleBinding{{Name: role, Namespace: "team-a", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: role}}}
	}
}

// readableIn publishes the Secret in a namespace, for its holder to read.
func readableIn(namespace string) func(*v1alpha1.ClientIdentitySpec) {
	return func(spec *v1alpha1.ClientIdentitySpec) {
		spec.BindTo = v1alpha1.BindToCredential
		spec.Secret.Namespace, spec.Secret.HolderCanRead = namespace, true
	}
}

// byHolderIn has the holder make the keys, and invitations stand in a namespace.
func byHolderIn(namespace string) func(*v1alpha1.ClientIdentitySpec) {
	return func(spec *v1alpha1.ClientIdentitySpec) {
		spec.PrivateKey.Source, spec.Secret.Namespace = v1alpha1.SourceHolder, namespace
	}
}

// mayBindAdmin asks whether the operator may bind the ClusterRole admin: a change of its rights takes a moment.
func mayBindAdmin() (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               operator.Username,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "bind", Group: rbacv1.GroupName, Resource: "clusterroles", Name: "admin"},
	}}
	err := admin.Create(ctx, review)
	return review.Status.Allowed, err
}

// expectPublished waits until an identity is ready, and checks that its holder reads the Secret there.
func expectPublished(namespace, name string) *corev1.Secret {
	GinkgoHelper()
	eventuallyReady(name)
	secret := secretIn(namespace, name)
	own := holder(secret)
	Eventually(func() error { return own.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{}) }).Should(Succeed())
	return secret
}

var _ = Describe("The overlay", func() {
	It("narrowed-bind binds the roles that it names, and says who has to change what for another one", func() {
		create("before", func(spec *v1alpha1.ClientIdentitySpec) {
			bound("admin")(spec)
			spec.BindTo = v1alpha1.BindToCredential
		})
		Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/overlays/narrowed-bind")).To(Succeed())
		Eventually(mayBindAdmin).Should(BeFalse())
		use("narrowed-bind")
		create("viewer", func(spec *v1alpha1.ClientIdentitySpec) {
			bound("view")(spec)
			spec.BindTo, spec.Secret.HolderCanRead = v1alpha1.BindToCredential, true
		})
		create("admin", bound("admin"))
		create("nobody", bound("missing"))
		create("by-holder", byHolderIn(""))
		expectPublished(operator.SecretNamespace, "viewer")
		Eventually(condition("by-holder", v1alpha1.ConditionReady)).Should(HavePrefix("True ReadyToEnroll: "))
		for name, role := range map[string]string{"admin": "admin", "nobody": "missing", "before": "admin"} {
			Eventually(condition(name, v1alpha1.ConditionStalled)).Should(HavePrefix("True BindingForbidden: "), name)
			Expect(condition(name, v1alpha1.ConditionStalled)()).To(ContainSubstring("for ClusterRole \""+role+"\": "), name)
			Expect(condition(name, v1alpha1.ConditionReconciling)()).To(BeEmpty())
			Eventually(condition(name, v1alpha1.ConditionCertificateIssued)).Should(HavePrefix("True "), name)
		}
		Expect(condition("admin", v1alpha1.ConditionStalled)()).To(ContainSubstring("attempting to grant RBAC permissions not currently held"))

		By("granting it bind again, and looking without any other change")
		Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/default")).To(Succeed())
		eventuallyReady("admin")
		eventuallyReady("nobody")
		eventuallyReady("before")

		By("taking it again, and revoking")
		Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/overlays/narrowed-bind")).To(Succeed())
		Eventually(mayBindAdmin).Should(BeFalse())
		Expect(admin.Patch(ctx, &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "before"}}, client.RawPatch(types.MergePatchType,
			[]byte(`{"spec":{"revokeIssuedBefore":"`+metav1.Now().UTC().Format("2006-01-02T15:04:05Z")+`"}}`)))).To(Succeed())
		Eventually(condition("before", v1alpha1.ConditionStalled)).Should(HavePrefix("True BindingForbidden: "))
		var left rbacv1.RoleBindingList
		Expect(admin.List(ctx, &left, client.MatchingLabels{v1alpha1.IdentityLabel: "before"})).To(Succeed())
		Expect(left.Items).To(BeEmpty(), "the revoked credential keeps a role")
		eventuallyReady("viewer")
	})

	It("secret-namespace publishes in one more namespace", func() {
		use("secret-namespace")
		create("in-team-a", readableIn("team-a"))
		create("by-default", func(*v1alpha1.ClientIdentitySpec) {})
		create("elsewhere", readableIn("anywhere"))
		create("invited-to-team-a", byHolderIn("team-a"))
		expectPublished("team-a", "in-team-a")
		Eventually(condition("invited-to-team-a", v1alpha1.ConditionReady)).Should(HavePrefix("True ReadyToEnroll: "))
		eventuallyReady("by-default")
		Eventually(condition("elsewhere", v1alpha1.ConditionStalled)).Should(HavePrefix("True SecretNamespaceNotAllowed: "))
	})

	It("all-secret-namespaces publishes in every namespace, and looks after the Secrets there", func() {
		use("all-secret-namespaces")
		create("somewhere", readableIn("anywhere"))
		create("invited-anywhere", byHolderIn("anywhere"))
		Eventually(condition("invited-anywhere", v1alpha1.ConditionReady)).Should(HavePrefix("True ReadyToEnroll: "))
		secret := expectPublished("anywhere", "somewhere")
		Expect(admin.Delete(ctx, secret)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{}) }).Should(Succeed())

		By("selecting namespaces, which are no less protected than before")
		create("selects", func(spec *v1alpha1.ClientIdentitySpec) {
			bound("view")(spec)
			spec.RoleBindings[0].Namespace = ""
			spec.RoleBindings[0].NamespaceSelector = &v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceSelectorRequirement{{
				Key: corev1.LabelMetadataName, Operator: "In", Values: []v1alpha1.LabelValue{"anywhere", metav1.NamespaceSystem, operator.SecretNamespace},
			}}}
		})
		eventuallyReady("selects")
		var bindings rbacv1.RoleBindingList
		Expect(admin.List(ctx, &bindings, client.MatchingLabels{v1alpha1.IdentityLabel: "selects"})).To(Succeed())
		Expect(bindings.Items).To(HaveLen(1))
		Expect(bindings.Items[0].Namespace).To(Equal("anywhere"))
	})
})
