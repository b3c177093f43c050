// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/url"

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

var _ = Describe("The server in the kubeconfig", Serial, func() {
	inCluster := func(options *manager.Options) { options.InCluster = true }

	It("comes from the spec, then the flag, then cluster-info, then the operator's own connection", func() {
		name, own := uniqueName("source"), uniqueName("source")
		create(newIdentity(name), newIdentity(own, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Kubeconfig.Server = "https://spec.example.com"
		}))
		eventuallyServer(name, cp.URL(), v1alpha1.ServerFromConnection)
		eventuallyServer(own, "https://spec.example.com", v1alpha1.ServerFromSpec)

		clusterInfo := publishClusterInfo()
		eventuallyServer(name, cp.URL(), v1alpha1.ServerFromClusterInfo)

		By("changing cluster-info: kubeconfigs follow")
		loopback := otherURL()
		info, err := clientcmd.Load([]byte(clusterInfo.Data["kubeconfig"]))
		Expect(err).NotTo(HaveOccurred())
		info.Clusters[""].Server = loopback
		content, err := clientcmd.Write(*info)
		Expect(err).NotTo(HaveOccurred())
		clusterInfo.Data["kubeconfig"] = string(content)
		Expect(admin.Update(ctx, clusterInfo)).To(Succeed())
		eventuallyServer(name, loopback, v1alpha1.ServerFromClusterInfo)

		restartOperator(func(options *manager.Options) { options.KubeconfigServer = "https://flag.example.com:6443" })
		eventuallyServer(name, "https://flag.example.com:6443", v1alpha1.ServerFromFlag)
		eventuallyServer(own, "https://spec.example.com", v1alpha1.ServerFromSpec)
		Expect(signingRequests(name)).To(HaveLen(1), "nothing was issued again for it")
	})

	It("is never made up: inside a cluster that does not tell it, the identity stalls until the spec does", func() {
		restartOperator(inCluster)
		name := uniqueName("unknown")
		create(newIdentity(name))
		expectServerUnknown(name)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Kubeconfig.Server = cp.URL() })
		expectUser(eventuallyServer(name, cp.URL(), v1alpha1.ServerFromSpec))
	})

	It("is used as soon as cluster-info is published", func() {
		restartOperator(inCluster)
		name := uniqueName("unknown")
		create(newIdentity(name))
		expectServerUnknown(name)
		publishClusterInfo()
		expectUser(eventuallyServer(name, cp.URL(), v1alpha1.ServerFromClusterInfo))
	})

	It("is used once the operator is started with the flag", func() {
		restartOperator(inCluster)
		name := uniqueName("unknown")
		create(newIdentity(name))
		expectServerUnknown(name)
		Expect(running.Stop()).To(Succeed())
		startOperator(inCluster, func(options *manager.Options) { options.KubeconfigServer = cp.URL() })
		expectUser(eventuallyServer(name, cp.URL(), v1alpha1.ServerFromFlag))
	})

	It("is missed without harm to what is published: it stays as it is, says so, and is renewed with what is known", func() {
		name := uniqueName("published")
		create(newIdentity(name))
		before := eventuallyReady(name)
		key := keyDigest(before)
		restartOperator(inCluster)
		Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).
			Should(haveCondition(v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonServerUnknown))
		kept := get(name)
		Expect(message(kept, v1alpha1.ConditionCertificateIssued)).To(HavePrefix("kubeconfigs keep the server " + cp.URL() + ", which nothing tells any more"))
		Expect(kept).To(haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady))
		Expect(kept).NotTo(haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonServerUnknown))
		expectUser(kept)
		expectSameCredential(before, kept, key)

		By("changing the groups: the next kubeconfig points where the last one did")
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"others"} })
		Eventually(func() int64 { return get(name).Status.Certificate.Revision }).Should(BeEquivalentTo(2))
		renewed := get(name)
		Expect(publishedKubeconfig(renewed).Clusters["kubernetes"].Server).To(Equal(cp.URL()))
		Expect(renewed.Status.Server.URL).To(Equal(cp.URL()))
		expectUser(renewed)
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

// eventuallyServer waits until the identity's kubeconfig points at a server, and its status says who said so.
func eventuallyServer(name, server string, source v1alpha1.ServerSource) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	Eventually(func() *v1alpha1.ServerStatus { return get(name).Status.Server }).
		Should(Equal(&v1alpha1.ServerStatus{URL: server, Source: source}))
	identity := eventuallyReady(name)
	config := publishedKubeconfig(identity)
	Expect(config.Clusters["kubernetes"].Server).To(Equal(server))
	return identity
}

// expectServerUnknown waits until the identity stalls since nobody says where the API server is.
func expectServerUnknown(name string) {
	GinkgoHelper()
	Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).Should(And(
		haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonServerUnknown),
		haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonServerUnknown),
	))
	identity := get(name)
	Expect(message(identity, v1alpha1.ConditionStalled)).To(And(ContainSubstring("spec.kubeconfig.server"), ContainSubstring("--kubeconfig-server")))
	Expect(identity.Status.Server).To(BeNil())
	Consistently(requestsOf(name), "1s").Should(BeEmpty(), "certificates that could not be published")
}

// publishClusterInfo publishes the server as kubeadm does, until the end of the spec.
func publishClusterInfo() *corev1.ConfigMap {
	GinkgoHelper()
	Expect(cp.PublishClusterInfo(ctx)).To(Succeed())
	info := &corev1.ConfigMap{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: "kube-public", Name: "cluster-info"}, info)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, info)).To(Succeed()) })
	return info
}

// otherURL returns another URL of the API server than the one it tells.
func otherURL() string {
	GinkgoHelper()
	server, err := url.Parse(cp.URL())
	Expect(err).NotTo(HaveOccurred())
	return "https://localhost:" + server.Port()
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
