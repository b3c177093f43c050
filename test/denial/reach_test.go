// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"encoding/json"
	"errors"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/preflight"
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
		run := func(flags ...string) map[string]preflight.Result {
			GinkgoHelper()
			command := exec.Command(binary, append([]string{"preflight", "-o=json", "--kubeconfig", cp.Kubeconfig(), "--tries=3"}, flags...)...)
			output, err := command.Output()
			var ended *exec.ExitError
			Expect(err == nil || errors.As(err, &ended)).To(BeTrue())
			var report preflight.Report
			Expect(json.Unmarshal(output, &report)).To(Succeed(), string(output))
			results := map[string]preflight.Result{"facts": preflight.Result(report.Facts.Denial)}
			for _, check := range report.Checks {
				results[check.Name] = check.Result
			}
			return results
		}
		Expect(run("--require-denial")).To(And(
			HaveKeyWithValue("signer", preflight.OK), HaveKeyWithValue("authentication", preflight.OK),
			HaveKeyWithValue("denial", preflight.OK), HaveKeyWithValue("facts", preflight.Result("on"))))

		By("asking nobody")
		DeferCleanup(func() { Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization("v1"))).To(Succeed()) })
		Expect(cp.ReplaceAuthorization(ctx, operator.NobodyAsked)).To(Succeed())
		Expect(run()).To(And(HaveKeyWithValue("denial", preflight.Off), HaveKeyWithValue("facts", preflight.Off)))
		Expect(run("--require-denial")).To(HaveKeyWithValue("denial", preflight.Fail))
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
