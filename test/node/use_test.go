// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"flag"

	. "github.com/onsi/ginkgo/v2"
)

// What a run costs: make e2e-node TEST_ARGS='-creates=10000 -installs=10 -liveness'.
var (
	creates  = flag.Int("creates", 1000, "How many identities are created at least, or tried to, while the Deployment is updated, again and again.")
	installs = flag.Int("installs", 1, "How often the operator is installed for the first time, by each installer.")
	liveness = flag.Bool("liveness", false, "Wait until the kubelet restarts a manager that hangs: two minutes.")
)

var _ = Describe("In use", Ordered, func() {
	BeforeAll(func() {
		installers[0].install()
		rolledOut()
	})
	AfterAll(wipe)

	It("is confined", testConfinement)
	It("refuses, through the webhook's Service, who asks for more than they hold", testAdmission)
	It("says with preflight what works here", testPreflight)
	It("serves its metrics to who may read them", testMetrics)
	It("gets no requests while it does not answer", testUnreadiness)
	It("is restarted when it hangs", func() {
		if !*liveness {
			Skip("takes two minutes: -liveness")
		}
		testLiveness()
	})
	It("loses no create while its certificate is made anew", testEmptiedSecret)
	It("loses no create in a rolling update", testRollingUpdate)
	It("needs no more memory than it may have", testMemory)
	It("goes on when the leader's pod is deleted", testLeaderDeleted)
	It("goes on when the leader is killed", testLeaderKilled)
	It("lets the node be drained, one pod at a time", testDrain)
})
