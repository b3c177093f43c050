// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// states are the identities of the fixture that are not ready, and why.
var states = map[string]string{
	"frank":    "Withdrawn StateWithdrawn",
	"leo":      "Waiting SecretConflict",
	"mia":      "Waiting NamespaceMissing",
	"namesake": "Waiting UsernameInUse",
	"olga":     "Stalled SignerNotAllowed",
}

var _ = Describe("From the release before to this one", Ordered, func() {
	var (
		w      *world
		before picture
	)

	BeforeAll(func() {
		w = begin()
		before = w.take()
	})

	It("begins with what that release left behind", func() {
		identities := &v1alpha1.ClientIdentityList{}
		Expect(w.admin.List(w, identities)).To(Succeed())
		Expect(len(identities.Items)).To(BeNumerically(">=", 15))
		for _, identity := range identities.Items {
			want, is := states[identity.Name]
			if !is {
				want = "Ready"
			}
			Expect(string(identity.Status.State)+" "+identity.Status.StateReason).To(HavePrefix(want), identity.Name)
		}
		Expect(w.release.Copies).To(HaveLen(4))
	})

	It("leaves every credential as it is", func() {
		w.applied()
		current := w.start(current, "--enable-webhooks=false")
		w.eventuallyLed(current, "")
		Consistently(func() []string { return w.take().differences(before) }).Should(HaveEach(HavePrefix("CertificateSigningRequest /leo-")))
	})
})
