// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("The kubeconfig", func() {
	DescribeTable("is rendered again, with the same certificate and key, when only it changes",
		func(change func(*v1alpha1.KubeconfigTemplate), check func(cluster *clientcmdapi.Cluster, context *clientcmdapi.Context, config *clientcmdapi.Config)) {
			name := uniqueName("settings")
			create(newIdentity(name))
			before := eventuallyReady(name)
			key := keyDigest(before)
			update(name, func(identity *v1alpha1.ClientIdentity) { change(&identity.Spec.Kubeconfig) })
			after := eventuallyReady(name)
			config := publishedKubeconfig(after)
			current := config.Contexts[config.CurrentContext]
			check(config.Clusters[current.Cluster], current, config)
			expectSameCredential(before, after, key)
		},
		Entry("the server",
			func(k *v1alpha1.KubeconfigTemplate) { k.Server = "https://api.example.com:6443" },
			func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context, _ *clientcmdapi.Config) {
				Expect(cluster.Server).To(Equal("https://api.example.com:6443"))
			}),
		Entry("the name of the cluster, and with it that of context and user",
			func(k *v1alpha1.KubeconfigTemplate) { k.ClusterName = "staging" },
			func(_ *clientcmdapi.Cluster, current *clientcmdapi.Context, config *clientcmdapi.Config) {
				Expect(current.Cluster).To(Equal("staging"))
				Expect(config.CurrentContext).To(HaveSuffix("@staging"))
				Expect(current.AuthInfo).To(Equal(config.CurrentContext))
			}),
		Entry("the name of the context",
			func(k *v1alpha1.KubeconfigTemplate) { k.ContextName = "work" },
			func(_ *clientcmdapi.Cluster, current *clientcmdapi.Context, config *clientcmdapi.Config) {
				Expect(config.CurrentContext).To(Equal("work"))
				Expect(current.AuthInfo).To(Equal("work"))
			}),
		Entry("the namespace",
			func(k *v1alpha1.KubeconfigTemplate) { k.Namespace = "development" },
			func(_ *clientcmdapi.Cluster, current *clientcmdapi.Context, _ *clientcmdapi.Config) {
				Expect(current.Namespace).To(Equal("development"))
			}),
		Entry("proxy and TLS server name",
			func(k *v1alpha1.KubeconfigTemplate) {
				k.ProxyURL, k.TLSServerName = "http://proxy.example.com:3128", "kubernetes.default"
			},
			func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context, _ *clientcmdapi.Config) {
				Expect(cluster.ProxyURL).To(Equal("http://proxy.example.com:3128"))
				Expect(cluster.TLSServerName).To(Equal("kubernetes.default"))
			}),
		Entry("the CA",
			func(k *v1alpha1.KubeconfigTemplate) { k.CertificateAuthorityData = cp.ClientCA().CertPEM() },
			func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context, _ *clientcmdapi.Config) {
				Expect(string(cluster.CertificateAuthorityData)).To(Equal(string(cp.ClientCA().CertPEM())))
			}),
	)

	It("stands under the key that is asked for, and no longer under the old one", func() {
		name := uniqueName("key-name")
		create(newIdentity(name))
		before := eventuallyReady(name)
		key := keyDigest(before)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.KubeconfigKey = "value" })
		after := eventuallyReady(name)
		Expect(publishedSecret(after).Data).To(And(HaveLen(4), HaveKey("value"), Not(HaveKey("kubeconfig"))))
		expectUser(after)
		expectSameCredential(before, after, key)
	})

	It("stands in a Secret with the labels and annotations asked for; those of others stay", func() {
		name := uniqueName("marked")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"team": "a", "tier": "gold"}
			identity.Spec.Secret.Annotations = map[string]v1alpha1.AnnotationValue{"note": "first"}
		}))
		before := eventuallyReady(name)
		key := keyDigest(before)
		secret := publishedSecret(before)
		Expect(secret.Labels).To(And(HaveKeyWithValue("team", "a"), HaveKeyWithValue("tier", "gold"),
			HaveKeyWithValue(v1alpha1.ManagedByLabel, v1alpha1.ManagedByValue), HaveKeyWithValue(v1alpha1.IdentityLabel, name)))
		Expect(secret.Annotations).To(HaveKeyWithValue("note", "first"))
		change(secret, func(s *corev1.Secret) { metav1.SetMetaDataLabel(&s.ObjectMeta, "somebody", "else") })

		update(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"team": "b"}
			identity.Spec.Secret.Annotations = nil
		})
		after := eventuallyReady(name)
		secret = publishedSecret(after)
		Expect(secret.Labels).To(And(HaveKeyWithValue("team", "b"), Not(HaveKey("tier")), HaveKeyWithValue("somebody", "else")))
		Expect(secret.Annotations).NotTo(HaveKey("note"))
		expectSameCredential(before, after, key)
	})

	It("moves to a Secret of another name, with the same certificate", func() {
		name := uniqueName("renamed")
		create(newIdentity(name))
		before := eventuallyReady(name)
		key := keyDigest(before)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Name = name + "-new" })
		after := eventuallyReady(name)
		Expect(after.Status.SecretRef.Name).To(Equal(name + "-new"))
		expectUser(after)
		expectSameCredential(before, after, key)
		expectSecretGone(before)
	})

	It("moves to another namespace, with the same certificate, and back when that is no longer allowed", Serial, func() {
		second := createNamespace("more-secrets", nil)
		allowSecrets(second)
		name := uniqueName("moved")
		restartOperator(func(options *manager.Options) {
			options.SecretNamespaces = []string{operator.SecretNamespace, second}
		})
		create(newIdentity(name))
		before := eventuallyReady(name)
		key := keyDigest(before)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = second })
		moved := eventuallyReady(name)
		Expect(moved.Status.SecretRef.Namespace).To(Equal(second))
		expectUser(moved)
		expectSameCredential(before, moved, key)
		expectSecretGone(before)

		By("restarting the operator without the second namespace")
		Expect(running.Stop()).To(Succeed())
		startOperator()
		Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).
			Should(haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNamespaceNotAllowed))
		Expect(message(get(name), v1alpha1.ConditionReady)).To(ContainSubstring(
			`the operator may not publish Secrets in namespace "` + second + `", only in client-identities: set spec.secret.namespace to one of them, or add it to --secret-namespaces`))
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = "" })
		back := eventuallyReady(name)
		Expect(back.Status.SecretRef.Namespace).To(Equal(operator.SecretNamespace))
		expectUser(back)
	})
})

// publishedKubeconfig returns the published kubeconfig as clientcmd reads it.
func publishedKubeconfig(identity *v1alpha1.ClientIdentity) *clientcmdapi.Config {
	GinkgoHelper()
	config, err := clientcmd.Load(publishedSecret(identity).Data[identity.Spec.Secret.KubeconfigKey])
	expectNoSecretError(err, "clientcmd reads the kubeconfig")
	return config
}

// expectSameCredential checks that nothing was issued between before and after, and that the same key is published.
func expectSameCredential(before, after *v1alpha1.ClientIdentity, key string) {
	GinkgoHelper()
	Expect(after.Status.Certificate.Fingerprint).To(Equal(before.Status.Certificate.Fingerprint))
	Expect(after.Status.Certificate.Revision).To(Equal(before.Status.Certificate.Revision))
	Expect(digest(publishedCertificate(after).Raw)).To(Equal(before.Status.Certificate.Fingerprint))
	Expect(keyDigest(after)).To(Equal(key))
	Expect(signingRequests(after.Name)).To(HaveLen(1))
}

// expectSecretGone waits until the Secret that a status named is gone.
func expectSecretGone(identity *v1alpha1.ClientIdentity) {
	GinkgoHelper()
	ref := identity.Status.SecretRef
	Eventually(func() bool {
		return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &corev1.Secret{}))
	}).Should(BeTrue())
}

// secretRights returns what the operator may do in a namespace that it publishes Secrets in.
func secretRights() []rbacv1.PolicyRule {
	GinkgoHelper()
	role := &rbacv1.Role{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.SecretNamespace, Name: "client-identity-operator-manager"}, role)).To(Succeed())
	return role.Rules
}

// allowSecrets lets the operator publish Secrets in one more namespace, as an installer does.
func allowSecrets(namespace string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: operator.ServiceAccount}
	create(
		&rbacv1.Role{ObjectMeta: meta, Rules: secretRights()},
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: operator.ServiceAccount}},
		})
}
