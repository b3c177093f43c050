// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("Installed by", Ordered, func() {
	for name, installer := range installers {
		Context(name, func() {
			AfterEach(wipe)

			It("runs in pods, and what the README says next works as typed", func() {
				began := time.Now()
				installer.install()
				rolledOut()
				AddReportEntry("available after", time.Since(began).Round(100*time.Millisecond).String())
				kubectl("apply", "-k", "config/samples")

				kubectl("wait", "--for=condition=Ready", "--timeout=2m", "clientidentity/jane", "clientidentity/ci-bot")
				file := filepath.Join(GinkgoT().TempDir(), "jane.kubeconfig")
				encoded := kubectl("get", "secret", "--namespace", operator.SecretNamespace, "jane-kubeconfig", "-o", "jsonpath={.data.kubeconfig}")
				kubeconfig, err := base64.StdEncoding.DecodeString(encoded)
				Expect(err).NotTo(HaveOccurred())
				Expect(os.WriteFile(file, kubeconfig, 0o600)).To(Succeed())
				who, err := command(node.Kubectl(), "--kubeconfig", file, "auth", "whoami")
				Expect(err).NotTo(HaveOccurred(), who)
				Expect(who).To(ContainSubstring("jane@example.com"))
			})
		})
	}
})
