package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("Issuance", func() {
	DescribeTable("publishes a kubeconfig that authenticates as exactly the user and groups of the spec",
		func(key v1alpha1.PrivateKey) {
			name := uniqueName("key")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Groups = []string{"developers", "team-a"}
				identity.Spec.PrivateKey = key
			}))
			expectUser(eventuallyReady(name))
		},
		Entry("with the default key", v1alpha1.PrivateKey{}),
		Entry("with an ECDSA key on P-384", v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA, Size: 384}),
		Entry("with an RSA key", v1alpha1.PrivateKey{Algorithm: v1alpha1.RSA}),
		Entry("with an Ed25519 key", v1alpha1.PrivateKey{Algorithm: v1alpha1.Ed25519}),
	)

	It("renews on request, with a new key", func() {
		name := uniqueName("renew")
		create(newIdentity(name))
		before := eventuallyReady(name)
		oldKey := publishedSecret(before).Data[v1alpha1.PrivateKeyKey]
		requestRenewal(name)
		after := eventuallyRenewed(before)
		Expect(after.Status.Certificate.Revision).To(BeEquivalentTo(2))
		Expect(string(publishedSecret(after).Data[v1alpha1.PrivateKeyKey]) == string(oldKey)).To(BeFalse(), "the key is the same")
		expectUser(after)
	})
})
