// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("How far a revocation reaches", func() {
	says := func(name, condition string) func() []string {
		return func() []string {
			GinkgoHelper()
			identity := get(name)
			c := meta.FindStatusCondition(identity.Status.Conditions, condition)
			if c == nil || c.ObservedGeneration != identity.Generation {
				return nil
			}
			return []string{string(identity.Status.RevocationReach), c.Reason}
		}
	}

	It("is found out by trying: the status tells while it is denied, and no more where it is not", func() {
		revokedName, aloneName, withdrawnName := uniqueName("reach"), uniqueName("reach-alone"), uniqueName("reach-withdrawn")
		first := leak(revokedName, bound(v1alpha1.BindToCredential))
		single := leak(aloneName, bound(v1alpha1.BindToUsername))
		leak(withdrawnName, bound(v1alpha1.BindToCredential))
		Expect(get(revokedName).Status.RevocationReach).To(BeEmpty(), "nothing is revoked yet")
		aSecondLater()
		update(revokedName, revoked)
		update(aloneName, stolen(single.Fingerprint))
		update(withdrawnName, withdrawn)

		denied := []string{string(v1alpha1.ReachAPIServer), v1alpha1.ReasonDeniedByAPIServer}
		Eventually(says(revokedName, v1alpha1.ConditionRevocationComplete)).Should(Equal(denied))
		Eventually(says(aloneName, v1alpha1.ConditionRevocationComplete)).Should(Equal(denied))
		Eventually(says(withdrawnName, v1alpha1.ConditionWithdrawn)).Should(Equal([]string{string(v1alpha1.ReachAPIServer), v1alpha1.ReasonWithdrawnByState}))
		Expect(meta.FindStatusCondition(get(withdrawnName).Status.Conditions, v1alpha1.ConditionWithdrawn).Message).To(ContainSubstring("the API server denies every request with its certificates"))
		next, nextAlone := another(revokedName, first), another(aloneName, single)

		By("asking nobody any more")
		DeferCleanup(func() { Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization("v1"))).To(Succeed()) })
		Expect(cp.ReplaceAuthorization(ctx, operator.NobodyAsked)).To(Succeed())
		Expect(refused(first.Connection())()).To(BeEmpty(), "what others granted it")
		Eventually(says(revokedName, v1alpha1.ConditionRevocationComplete)).Should(Equal([]string{string(v1alpha1.ReachBindings), v1alpha1.ReasonRevoked}))
		Eventually(says(aloneName, v1alpha1.ConditionRevocationComplete)).Should(Equal([]string{string(v1alpha1.ReachBindings), v1alpha1.ReasonNotDenied}))
		Eventually(says(withdrawnName, v1alpha1.ConditionWithdrawn)).Should(Equal([]string{string(v1alpha1.ReachBindings), v1alpha1.ReasonWithdrawnByState}))

		By("asking again")
		Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization("v1"))).To(Succeed())
		Eventually(says(revokedName, v1alpha1.ConditionRevocationComplete)).Should(Equal(denied))
		Eventually(says(aloneName, v1alpha1.ConditionRevocationComplete)).Should(Equal(denied))
		Expect(refused(next.Connection())()).To(BeEmpty(), "the new credential goes on")
		Expect(refused(nextAlone.Connection())()).To(BeEmpty(), "the new credential goes on")
	})

	It("is told by preflight, before an identity depends on it", func() {
		preflight := func(flags ...string) (string, error) {
			output, err := exec.Command(binary, append([]string{"preflight", "--kubeconfig", cp.Kubeconfig(), "--tries=3"}, flags...)...).CombinedOutput()
			return string(output), err
		}
		output, err := preflight("--require-denial")
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(output).To(And(ContainSubstring(" signs: "), ContainSubstring("it denies revoked certificates, in 3 tries of 3")))
		output, err = preflight("--signer=nobody")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("get a certificate to try with"))

		By("asking nobody")
		DeferCleanup(func() { Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization("v1"))).To(Succeed()) })
		Expect(cp.ReplaceAuthorization(ctx, operator.NobodyAsked)).To(Succeed())
		output, err = preflight()
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(output).To(ContainSubstring("off     it does not deny"))
		output, err = preflight("--require-denial")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("see docs/guides/deny.md"))
	})

	It("is found out with a certificate whose request leaves nothing behind", func() {
		Eventually(func(g Gomega) {
			requests := &certificatesv1.CertificateSigningRequestList{}
			g.Expect(admin.List(ctx, requests)).To(Succeed())
			for i := range requests.Items {
				g.Expect(requests.Items[i].Name).NotTo(HavePrefix("client-identity-denial-check-"))
			}
		}).Should(Succeed())
	})
})
