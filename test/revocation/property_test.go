// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/clientidentity/operator/test/property"
)

// fixedSeed is for a run that is the same every time, as far as the scheduling lets it.
const fixedSeed = 8

var _ = Describe("Whatever is revoked, and whatever breaks meanwhile", Serial, func() {
	DescribeTable("a revocation that the status calls complete is complete, and no revoked copy reads the next kubeconfig",
		func(seed func() uint64) {
			withoutOperator(func() {
				done, err := property.Run(ctx, property.Options{
					ControlPlane: cp, Seed: seed(), Duration: 30 * time.Second,
					Log: func(format string, args ...any) { GinkgoWriter.Printf(format+"\n", args...) },
				})
				AddReportEntry("done", done)
				if err != nil {
					Fail(err.Error()) // as a person reads it: it is an error of many
				}
			})
		},
		Entry("with a fixed seed", func() uint64 { return fixedSeed }),
		Entry("with another seed each time", func() uint64 { return uint64(time.Now().UnixNano()) }),
	)
})
