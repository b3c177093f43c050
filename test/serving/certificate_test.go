// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/tls"
	"encoding/pem"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/serving"
	internalwebhook "github.com/clientidentity/operator/internal/webhook"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

const (
	caCert, caKey = "ca.crt", "ca.key"
	// serviceName is the name that the API server asks for in pods.
	serviceName = serving.ServiceName + "." + operator.Namespace + ".svc"
)

var _ = Describe("Two replicas", Ordered, func() {
	var first, second *replica

	AfterAll(func() { gexec.KillAndWait() })

	It("answer as soon as they are ready after a fresh start, and have nothing to complain of", func() {
		for range 5 {
			gexec.KillAndWait()
			forget()
			began := time.Now()
			first, second = start(), start()
			Eventually(first.ready).Should(Succeed())
			Eventually(second.ready).Should(Succeed())
			AddReportEntry("both are ready after", time.Since(began).String())
			Expect(service.To(first.address, second.address)).To(Succeed())
			startStream().expectNothingLost()
			Expect(first.complaints()).To(BeEmpty())
			Expect(second.complaints()).To(BeEmpty())
		}
	})

	// expectRepaired waits until there is another certificate, which the one CA that is published has issued and both replicas serve with.
	expectRepaired := func(broken *corev1.Secret) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			repaired := stored()
			g.Expect(repaired.Data[corev1.TLSCertKey]).NotTo(BeEmpty())
			g.Expect(repaired.Data[corev1.TLSCertKey]).NotTo(Equal(broken.Data[corev1.TLSCertKey]))
			g.Expect(published()).To(Equal(repaired.Data[caCert]))
			for _, replica := range []*replica{first, second} {
				g.Expect(replica.serves()).To(Equal(repaired.Data[corev1.TLSCertKey]))
			}
		}, time.Minute).Should(Succeed())
	}

	DescribeTable("are answered for all the time where the Secret", func(breakIt func(data map[string][]byte)) {
		s := startStream()
		s.expectMore()
		secret := stored()
		breakIt(secret.Data)
		Expect(admin.Update(ctx, secret)).To(Succeed())
		expectRepaired(secret)
		s.expectNothingLost()
	},
		Entry("is emptied", func(data map[string][]byte) { clear(data) }),
		Entry("loses its certificate", func(data map[string][]byte) { delete(data, corev1.TLSCertKey) }),
		Entry("holds something that is no certificate", func(data map[string][]byte) { data[corev1.TLSCertKey] = []byte("nothing of the kind") }),
		Entry("holds a certificate with another key", func(data map[string][]byte) { data[corev1.TLSPrivateKeyKey] = data[caKey] }),
		Entry("holds a certificate that nobody trusts", func(data map[string][]byte) {
			var err error
			data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], err = ca().ServerCertificate(serviceName)
			Expect(err).NotTo(HaveOccurred())
		}),
		Entry("loses its CA, and keeps its certificate", func(data map[string][]byte) { delete(data, caCert) }),
		Entry("has two CAs instead of one", func(data map[string][]byte) {
			data[caCert] = append(ca().CertPEM(), data[caCert]...)
		}),
		Entry("holds a CA without its key", func(data map[string][]byte) { data[caKey] = data[corev1.TLSPrivateKeyKey] }),
	)

	It("follow when the Secret is emptied again and again", func() {
		s := startStream()
		var secret *corev1.Secret
		for range 5 {
			secret = stored()
			clear(secret.Data)
			Expect(admin.Update(ctx, secret)).To(Succeed())
			Eventually(func() map[string][]byte { return stored().Data }).ShouldNot(BeEmpty())
		}
		expectRepaired(secret)
		s.expectNothingLost()
	})

	It("are trusted again where somebody has written another CA into the webhook's configuration", func() {
		configuration := configuration()
		configuration.Webhooks[0].ClientConfig.CABundle = ca().CertPEM()
		Expect(admin.Update(ctx, configuration)).To(Succeed())
		Eventually(published).Should(Equal(stored().Data[caCert]))
		Expect(webhook.Ready(ctx)).To(Succeed())
		startStream().expectNothingLost()
	})

	It("go on where the Secret is deleted, and are repaired once there is one", func() {
		s := startStream()
		secret := stored()
		Expect(admin.Delete(ctx, secret)).To(Succeed())
		for _, replica := range []*replica{first, second} {
			Eventually(replica.logged).Should(ContainSubstring("it does not exist"))
			Expect(replica.ready()).To(Succeed())
		}
		Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/default")).To(Succeed())
		expectRepaired(secret)
		s.expectNothingLost()
	})

	It("come and go without losing a request", func() {
		s := startStream()
		for range 4 {
			s.expectMore()
			third := start()
			Eventually(third.ready).Should(Succeed())
			// As a Service does: connections that the API server keeps open go on.
			Expect(service.Next(second.address, third.address)).To(Succeed())
			s.expectMore()
			first.Terminate()
			Eventually(first.Session).Should(gexec.Exit(0))
			Expect(first.complaints()).To(BeEmpty())
			first, second = second, third
		}
		s.expectNothingLost()
	})
})

// forget makes the next start a fresh one.
func forget() {
	GinkgoHelper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "client-identity-operator"}}
	Expect(client.IgnoreNotFound(admin.Delete(ctx, lease))).To(Succeed())
	secret, configuration := stored(), configuration()
	secret.Data, configuration.Webhooks[0].ClientConfig.CABundle = nil, nil
	Expect(admin.Update(ctx, secret)).To(Succeed())
	Expect(admin.Update(ctx, configuration)).To(Succeed())
}

// stored returns the Secret of the certificate.
func stored() *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: serving.SecretName}, secret)).To(Succeed())
	return secret
}

func configuration() *admissionregistrationv1.ValidatingWebhookConfiguration {
	GinkgoHelper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: internalwebhook.ConfigurationName}, configuration)).To(Succeed())
	return configuration
}

// published returns the CAs in the webhook's configuration.
func published() []byte {
	GinkgoHelper()
	return configuration().Webhooks[0].ClientConfig.CABundle
}

func ca() *controlplane.CA {
	GinkgoHelper()
	ca, err := controlplane.NewCA("client-identity-operator-webhook-ca", 10*365*24*time.Hour)
	Expect(err).NotTo(HaveOccurred())
	return ca
}

// serves returns the certificate that a replica serves with.
func (r *replica) serves() []byte {
	GinkgoHelper()
	connection, err := tls.Dial("tcp", r.address, &tls.Config{InsecureSkipVerify: true})
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	served := connection.ConnectionState().PeerCertificates
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: served[0].Raw})
}
