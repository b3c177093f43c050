// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// inGroups asks for more groups.
func inGroups(groups ...string) change {
	return func(a *asked) { a.subject.Groups = append(slices.Clone(a.subject.Groups), groups...) }
}

// withoutGroup asks for one group less.
func withoutGroup(is func(group string) bool) change {
	return func(a *asked) { a.subject.Groups = slices.DeleteFunc(slices.Clone(a.subject.Groups), is) }
}

// as asks for another user.
func as(username string) change { return func(a *asked) { a.subject.Username = username } }

// using asks for more usages.
func using(usages ...certificatesv1.KeyUsage) change {
	return func(a *asked) { a.usages = append(slices.Clone(a.usages), usages...) }
}

// withKeyOf asks with a key of another kind.
func withKeyOf(kind v1alpha1.PrivateKey) change {
	return func(a *asked) {
		key, err := certificate.GenerateKey(kind)
		Expect(err).NotTo(HaveOccurred())
		a.key = key
	}
}

// withNames asks for alternative names, too.
func withNames(names ...string) change {
	return func(a *asked) {
		plain, err := certificate.NewRequest(a.key, a.subject)
		Expect(err).NotTo(HaveOccurred())
		block, _ := pem.Decode(plain)
		parsed, err := x509.ParseCertificateRequest(block.Bytes)
		Expect(err).NotTo(HaveOccurred())
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: parsed.RawSubject, DNSNames: names}, a.key)
		Expect(err).NotTo(HaveOccurred())
		a.request = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der})
	}
}

// Every maker is entitled to ask here: what is asked for is not what may be.
var _ = Describe("What a request says", func() {
	DescribeTable("is denied",
		func(wanted change, reason string, words ...string) {
			identity := enrollable("says", func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Size = 384 })
			laptop := enrol(identity, "laptop")
			before := get(identity.Name).Status
			By("to the device itself")
			ask(identity, "laptop", wanted).by(laptop.connection()).expectDenied(reason, words...)
			By("with an invitation")
			ask(identity, "phone", wanted).by(invite(identity)).expectDenied(reason, words...)
			By("to an administrator")
			ask(identity, "phone", wanted).by(cp.Config()).expectDenied(reason, words...)

			By("nothing having changed for the device")
			after := get(identity.Name).Status
			Expect(after.Certificates).To(Equal(before.Certificates))
			Expect(after.Invitations).To(BeEmpty())
			renew(identity, laptop)
		},
		Entry("with a group more", inGroups("admins"), holder.ReasonSubjectMismatch, "request.json"),
		Entry("with a group less", withoutGroup(func(group string) bool { return group == "developers" }), holder.ReasonSubjectMismatch, "request.json"),
		Entry("without the credential group", withoutGroup(isCredentialGroup), holder.ReasonSubjectMismatch, "credential group"),
		Entry("without a group of its own", withoutGroup(isCertificateGroup), holder.ReasonSubjectMismatch, "one group for this certificate"),
		Entry("with two groups of its own", inGroups(v1alpha1.CertificateGroupPrefix+"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), holder.ReasonSubjectMismatch, "one group for this certificate"),
		Entry("for another user", as("root@example.com"), holder.ReasonSubjectMismatch, "request.json"),
		Entry("with a usage more", using(certificatesv1.UsageKeyEncipherment), holder.ReasonUsagesMismatch, "digital signature", "client auth"),
		Entry("as a server's, too", using(certificatesv1.UsageServerAuth), holder.ReasonUsagesMismatch, "digital signature", "client auth"),
		Entry("with a usage less", change(func(a *asked) { a.usages = a.usages[1:] }), holder.ReasonUsagesMismatch, "digital signature"),
		Entry("for longer", lasting(time.Hour+time.Second), holder.ReasonLifetimeMismatch, "1h0m0s"),
		Entry("for as long as its signer likes", change(func(a *asked) { a.lifetime = nil }), holder.ReasonLifetimeMismatch, "expirationSeconds", "3600 seconds"),
		Entry("with a smaller key", withKeyOf(v1alpha1.PrivateKey{Size: 256}), holder.ReasonKeyMismatch, "384"),
		Entry("with a key of another algorithm", withKeyOf(v1alpha1.PrivateKey{Algorithm: v1alpha1.Ed25519}), holder.ReasonKeyMismatch, "ECDSA"),
		Entry("with alternative names", withNames("kubernetes.default.svc"), holder.ReasonRequestInvalid),
	)

	It("is taken where it asks for less time, or for a stronger key", func() {
		identity := enrollable("less")
		laptop := enrol(identity, "laptop", lasting(10*time.Minute), withKeyOf(v1alpha1.PrivateKey{Size: 521}))
		renew(identity, laptop)
	})
})

func isCertificateGroup(group string) bool {
	return len(group) > len(v1alpha1.CertificateGroupPrefix) && group[:len(v1alpha1.CertificateGroupPrefix)] == v1alpha1.CertificateGroupPrefix
}

func isCredentialGroup(group string) bool {
	_, _, is := certificate.ParseCredentialGroup(group)
	return is && !isCertificateGroup(group)
}
