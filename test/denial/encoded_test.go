// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"encoding/asn1"
	"encoding/pem"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// encodedOtherwise returns a certificate with bytes after its signature, where the CA's signature does not reach: another fingerprint
// for the same key, which Go's TLS takes.
func encodedOtherwise(certificatePEM []byte) []byte {
	GinkgoHelper()
	block, _ := pem.Decode(certificatePEM)
	Expect(block).NotTo(BeNil())
	var signed struct {
		Certificate, Algorithm asn1.RawValue
		Signature              asn1.BitString
	}
	more, err := asn1.Unmarshal(block.Bytes, &signed)
	Expect(err).NotTo(HaveOccurred())
	Expect(more).To(BeEmpty())
	der, err := asn1.Marshal(struct {
		Certificate, Algorithm asn1.RawValue
		Signature              asn1.BitString
		More                   []byte
	}{signed.Certificate, signed.Algorithm, signed.Signature, []byte("anything")})
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

var _ = Describe("A holder who encodes the certificate in another way", func() {
	for _, to := range []v1alpha1.BindTo{v1alpha1.BindToUsername, v1alpha1.BindToCredential} {
		for what, ended := range map[string]end{
			"revoked by its fingerprint": byFingerprint, "withdrawn": byWithdrawal, "revoked by time": byRevocation, "deleted": byDeletion, "out of its group": byGroup,
		} {
			It(fmt.Sprintf("is denied all the same: %s, bound to the %s", what, to), func() {
				name := uniqueName("encoded")
				leaked := leak(name, bound(to), inGroup("developers"))
				other := rest.CopyConfig(leaked.Connection())
				other.CertData = encodedOtherwise(other.CertData)
				Expect(refused(other)()).To(BeEmpty(), "it is taken for the same user")
				aSecondLater()
				if ended.how == nil {
					Expect(admin.Delete(ctx, get(name))).To(Succeed())
				} else {
					update(name, ended.how(leaked))
				}
				canDoNothing(leaked, "")
				Eventually(allowed(other)).Should(BeEmpty())
			})
		}
	}
})

var _ = Describe("Another identity of the same user", func() {
	for _, to := range []v1alpha1.BindTo{v1alpha1.BindToUsername, v1alpha1.BindToCredential} {
		It("does not deny what this one has issued, bound to the "+string(to), func() {
			name := uniqueName("owner")
			copied := leak(name, bound(to))
			namesake := newIdentity(uniqueName("namesake"), bound(to), stolen(copied.Fingerprint), withdrawn)
			namesake.Spec.Username = get(name).Spec.Username
			create(namesake)
			Consistently(refused(copied.Connection())).Should(BeEmpty())
		})
	}
})
