// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"net/url"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// versionOf returns the version of the API server that a connection leads to.
func versionOf(connection *rest.Config) string {
	GinkgoHelper()
	api, err := discovery.NewDiscoveryClientForConfig(connection)
	Expect(err).NotTo(HaveOccurred())
	version, err := api.ServerVersion()
	Expect(err).NotTo(HaveOccurred())
	return version.GitVersion
}

var _ = Describe("An upgrade of Kubernetes", func() {
	// A control plane is upgraded node by node: for a while, the API servers behind one address are of two versions, on one etcd.
	It("leaves every credential as it is, with the operator at API servers of two versions", func() {
		newer := os.Getenv("NEWER_CONTROL_PLANE_BIN")
		if newer == "" {
			Skip("NEWER_CONTROL_PLANE_BIN names no control plane of a newer version: make test-kubernetes does")
		}
		w := begin(func(options *controlplane.Options) { options.SecondBinDir = newer })
		before := w.take()
		w.apply()
		first := w.start(current, "--enable-webhooks=false")
		w.eventuallyLed()
		Consistently(w.changed).WithArguments(before).Should(BeEmpty())

		By("adding the newer one, behind the address that the operator has")
		second, err := w.cp.AddAPIServer(w)
		Expect(err).NotTo(HaveOccurred())
		Expect(versionOf(second)).NotTo(Equal(versionOf(w.cp.Config())))
		address, err := operator.NewForwarder()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(address.To)
		hosts := func(connections ...*rest.Config) (hosts []string) {
			for _, connection := range connections {
				server, err := url.Parse(connection.Host)
				Expect(err).NotTo(HaveOccurred())
				hosts = append(hosts, server.Host)
			}
			return hosts
		}
		Expect(address.To(hosts(w.cp.Config(), second)...)).To(Succeed())
		leader := w.leader()
		first.stop()
		kubeconfig := filepath.Join(w.dir(), "kubeconfig")
		connection, err := operator.Connection(w, w.cp)
		Expect(err).NotTo(HaveOccurred())
		connection.Host = "https://" + address.Address()
		Expect(operator.WriteKubeconfig(kubeconfig, connection)).To(Succeed())
		w.startWith(current, kubeconfig, "--enable-webhooks=false")
		w.eventuallyLed(leader)
		Consistently(w.changed).WithArguments(before).Should(BeEmpty())
		Expect(w.holderOf(w.kubeconfigOf(w.reissued("heidi", renew)))).To(HavePrefix("system:heidi "))

		By("leaving the newer one alone")
		made := w.take()
		Expect(address.To(hosts(second)...)).To(Succeed())
		w.holders = hosts(second)[0]
		Consistently(w.changed).WithArguments(made).Should(BeEmpty())
		Expect(w.holderOf(w.kubeconfigOf(w.reissued("heidi", renew)))).To(HavePrefix("system:heidi "))
	})
})
