// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"crypto"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/certificate"
)

// sent is a request that the API server took.
type sent struct {
	*asked
	uid string
}

// credential is what a device has: a certificate and its key. Whoever has a copy of both has the same.
type credential struct {
	device      string
	fingerprint string
	key         crypto.Signer
	certificate []byte
}

// GomegaString keeps the key from the messages of failed tests.
func (c *credential) GomegaString() string { return "credential of " + c.device }

// connection is how its holder connects. It is not to be printed.
func (c *credential) connection() *rest.Config {
	GinkgoHelper()
	key, err := certificate.EncodeKey(c.key)
	Expect(err).NotTo(HaveOccurred())
	config := rest.AnonymousClientConfig(cp.Config())
	config.CertData, config.KeyData, config.QPS = c.certificate, key, -1
	return config
}

// now returns the request as it is now.
func (s *sent) now() *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	request := &certificatesv1.CertificateSigningRequest{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: s.name}, request)).To(Succeed())
	Expect(string(request.UID)).To(Equal(s.uid), "the request is another one by now")
	return request
}

// condition returns a condition of a request, or nil.
func condition(request *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	i := slices.IndexFunc(request.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &request.Status.Conditions[i]
}

// issued waits until it is approved and signed, and returns what its maker has then.
func (s *sent) issued() *credential {
	GinkgoHelper()
	var request *certificatesv1.CertificateSigningRequest
	Eventually(func(g Gomega) {
		request = s.now()
		if denied := condition(request, certificatesv1.CertificateDenied); denied != nil {
			StopTrying("it is denied").Attach("reason", denied.Reason).Attach("message", denied.Message).Now()
		}
		g.Expect(request.Status.Certificate).NotTo(BeEmpty())
	}).Should(Succeed())
	issued, err := certificate.ParseIssued(request.Status.Certificate)
	Expect(err).NotTo(HaveOccurred())
	return &credential{device: s.device, fingerprint: issued.Fingerprint(), key: s.key, certificate: request.Status.Certificate}
}

// expectDenied waits until it is denied, for that reason and in words that have all these in them, and was not approved.
func (s *sent) expectDenied(reason string, words ...string) {
	GinkgoHelper()
	var request *certificatesv1.CertificateSigningRequest
	Eventually(func(g Gomega) {
		request = s.now()
		g.Expect(request.Status.Conditions).NotTo(BeEmpty())
	}).Should(Succeed(), "nobody decided about the request")
	Expect(request.Status.Conditions).To(HaveLen(1))
	denied := request.Status.Conditions[0]
	Expect(denied.Type).To(Equal(certificatesv1.CertificateDenied), denied.Message)
	Expect(denied.Reason).To(Equal(reason), denied.Message)
	for _, word := range words {
		Expect(denied.Message).To(ContainSubstring(word))
	}
	Expect(request.Status.Certificate).To(BeEmpty())
}

// expectUntouched checks that nobody has written to the request since it was sent.
func (s *sent) expectUntouched() {
	GinkgoHelper()
	request := s.now()
	Expect(request.Status.Conditions).To(BeEmpty())
	Expect(request.Status.Certificate).To(BeEmpty())
}
