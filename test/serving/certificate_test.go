// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Two replicas", Ordered, func() {
	var first, second *replica

	It("serve soon after a fresh start, and have nothing to complain of", func() {
		began := time.Now()
		first, second = start(), start()
		Eventually(first.ready).Should(Succeed())
		Eventually(second.ready).Should(Succeed())
		AddReportEntry("both are ready after", time.Since(began).String())
		Expect(service.To(first.address, second.address)).To(Succeed())
		Expect(webhook.Ready(ctx)).To(Succeed())
		AddReportEntry("answered after", time.Since(began).String())
		s := startStream()
		s.expectNothingLost()
		Expect(first.complaints()).To(BeEmpty())
		Expect(second.complaints()).To(BeEmpty())
	})
})
