// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

// readsSecret tries to read a Secret as the holder of a connection.
func readsSecret(config *rest.Config, key client.ObjectKey) error {
	GinkgoHelper()
	clients, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return clients.Get(ctx, key, &corev1.Secret{})
}

var _ = Describe("A holder who may read the Secret", func() {
	It("fetches the next kubeconfig with the present one, and nothing else, until it is revoked", func() {
		name, other := uniqueName("reader"), uniqueName("reader")
		create(newIdentity(other), newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.BindTo = v1alpha1.BindToCredential
			identity.Spec.Secret.HolderCanRead = true
		}))
		identity := eventuallyReady(name)
		leaked := holder(identity)
		own := client.ObjectKey{Namespace: identity.Status.SecretRef.Namespace, Name: identity.Status.SecretRef.Name}
		Eventually(func() error { return readsSecret(leaked, own) }).Should(Succeed())
		foreign := eventuallyReady(other).Status.SecretRef
		Expect(readsSecret(leaked, client.ObjectKey{Namespace: foreign.Namespace, Name: foreign.Name})).To(MatchError(ContainSubstring("forbidden")))

		By("revoking the copy")
		now := metav1.Now().Rfc3339Copy()
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RevokeIssuedBefore = &now })
		after := eventuallyRenewed(identity)
		Eventually(func() error { return readsSecret(leaked, own) }).Should(MatchError(ContainSubstring("forbidden")))
		Eventually(func() error { return readsSecret(holder(after), own) }).Should(Succeed())

		By("taking the right away")
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.HolderCanRead = false })
		Eventually(func() error { return readsSecret(holder(after), own) }).Should(MatchError(ContainSubstring("forbidden")))
		Eventually(func() ([]rbacv1.Role, error) {
			var roles rbacv1.RoleList
			err := admin.List(ctx, &roles, client.InNamespace(operator.SecretNamespace), client.MatchingLabels{v1alpha1.IdentityLabel: name})
			return roles.Items, err
		}).Should(BeEmpty())
	})
})
