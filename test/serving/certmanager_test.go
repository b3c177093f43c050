// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"

	"github.com/clientidentity/operator/test/controlplane"
)

var _ = Describe("Where something else keeps the certificate, as cert-manager does,", Ordered, func() {
	var first, second *replica
	var issuer *controlplane.CA

	AfterAll(func() { gexec.KillAndWait() })

	// issue writes a certificate of a CA, as cert-manager does.
	issue := func(ca *controlplane.CA) []byte {
		GinkgoHelper()
		cert, key, err := ca.ServerCertificate(serviceName)
		Expect(err).NotTo(HaveOccurred())
		secret := stored()
		secret.Data = map[string][]byte{corev1.TLSCertKey: cert, corev1.TLSPrivateKeyKey: key, caCert: ca.CertPEM()}
		Expect(admin.Update(ctx, secret)).To(Succeed())
		return cert
	}
	// inject writes CAs into the webhook's configuration, as its injector does.
	inject := func(cas ...*controlplane.CA) {
		GinkgoHelper()
		configuration := configuration()
		var bundle [][]byte
		for _, ca := range cas {
			bundle = append(bundle, ca.CertPEM())
		}
		configuration.Webhooks[0].ClientConfig.CABundle = bytes.Join(bundle, nil)
		Expect(admin.Update(ctx, configuration)).To(Succeed())
	}
	expectServed := func(cert []byte) {
		GinkgoHelper()
		for _, replica := range []*replica{first, second} {
			Eventually(replica.serves).Should(Equal(cert))
			Expect(replica.ready()).To(Succeed())
		}
	}

	It("replicas wait for it, and complain of nothing", func() {
		forget()
		first, second = start("--webhook-cert-rotation=false"), start("--webhook-cert-rotation=false")
		for _, replica := range []*replica{first, second} {
			Eventually(replica.logged).Should(ContainSubstring("there is no certificate to serve with yet"))
			Expect(replica.ready()).NotTo(Succeed())
			Expect(replica.probe("/healthz")).To(Succeed())
		}
		issuer = ca()
		cert := issue(issuer)
		inject(issuer)
		for _, replica := range []*replica{first, second} {
			Eventually(replica.ready).Should(Succeed())
		}
		expectServed(cert)
		Expect(service.To(first.address, second.address)).To(Succeed())
		startStream().expectNothingLost()
		Expect(first.complaints()).To(BeEmpty())
		Expect(second.complaints()).To(BeEmpty())
	})

	It("they follow a renewed one, and lose nothing", func() {
		s := startStream()
		s.expectMore()
		expectServed(issue(issuer))
		s.expectNothingLost()
		Expect(published()).To(Equal(issuer.CertPEM()), "the operator writes into the configuration")
	})

	It("they serve nothing that the API server does not trust, and what it trusts at once", func() {
		s := startStream()
		s.expectMore()
		other := ca()
		cert := issue(other)
		for _, replica := range []*replica{first, second} {
			Eventually(replica.logged).Should(ContainSubstring("the one before it goes on"))
			Expect(replica.ready()).To(Succeed())
		}
		s.expectMore()
		By("trusting both")
		inject(issuer, other)
		expectServed(cert)
		s.expectNothingLost()
		By("trusting another one alone, of which no certificate is there yet")
		last := ca()
		inject(last)
		for _, replica := range []*replica{first, second} {
			Eventually(replica.ready).ShouldNot(Succeed())
			Expect(replica.probe("/healthz")).To(Succeed())
		}
		cert = issue(last)
		for _, replica := range []*replica{first, second} {
			Eventually(replica.ready).Should(Succeed())
		}
		expectServed(cert)
		Expect(webhook.Ready(ctx)).To(Succeed())
	})
})
