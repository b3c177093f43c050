// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
)

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
