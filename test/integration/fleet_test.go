// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("A fleet created at once", func() {
	It("is renewed at times spread over the jitter, a tenth of renewBefore", func() {
		const fleet = 36
		var names []string
		for range fleet {
			name := uniqueName("fleet")
			names = append(names, name)
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.TTL = metav1.Duration{Duration: 24 * time.Hour}
				identity.Spec.RenewBefore = &metav1.Duration{Duration: 10 * time.Hour}
			}))
		}
		const window = time.Hour
		tenths := map[int]bool{}
		for _, name := range names {
			certificate := eventuallyReady(name).Status.Certificate
			jitter := certificate.NotAfter.Add(-10 * time.Hour).Sub(certificate.RenewalTime.Time)
			Expect(jitter).To(And(BeNumerically(">=", 0), BeNumerically("<", window)), "how much earlier %s is renewed", name)
			tenths[int(jitter/(window/10))] = true
		}
		// By chance alone, 36 of them leave more than half of ten tenths empty less than once in a million times.
		Expect(len(tenths)).To(BeNumerically(">=", 5), "tenths of the window that somebody is renewed in: %v", tenths)
	})
})
