// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"

	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/internal/preflight"
	"github.com/clientidentity/operator/test/operator"
)

// testPreflight runs preflight in a pod: it knows where it is, whose rights it has and how the operator was started, and all works.
func testPreflight() {
	out, err := node.TryKubectl("exec", "--namespace", operator.Namespace, "deployment/"+deploymentName, "--", "/manager", "preflight", "-o=json")
	Expect(err).NotTo(HaveOccurred(), out)
	var report preflight.Report
	Expect(json.Unmarshal([]byte(out), &report)).To(Succeed(), out)
	Expect(report.Facts.Caller).To(Equal(operator.Username))
	Expect(*report.Facts.Installed).To(BeTrue())
	Expect(report.Facts.Kubeconfig.Server).To(Equal(node.URL()))
	Expect(*report.Facts.Signer.Authenticates).To(BeTrue())
	// Over the Service's address, which is another one than in kubeconfigs.
	Expect(report.Facts.APIServer.URL).NotTo(Equal(node.URL()))
	for _, check := range report.Checks {
		Expect(check.Result).NotTo(Equal(preflight.Fail), "%s: %s", check.Name, check.Message)
	}
}
