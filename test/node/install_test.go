// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("Installed for the first time", func() {
	for _, by := range installers {
		Context("by "+by.name, func() {
			AfterEach(wipe)
			for i := range *installs {
				It(fmt.Sprintf("runs in pods, publishes credentials, and goes, #%d", i+1), func() {
					began := time.Now()
					by.install()
					rolledOut()
					AddReportEntry("available after", time.Since(began).Round(100*time.Millisecond).String())
					kubectl("apply", "-k", "config/samples")
					kubectl("wait", "--for=condition=Ready", "--timeout=2m", "clientidentity/jane", "clientidentity/ci-bot")
					kubeconfig := credentialOf("jane")
					Expect(whoami(kubeconfig)).To(ContainSubstring("jane@example.com"))
					Expect(node.Problems()).To(BeEmpty(), "nothing that is normal is an error")

					By("removing it")
					by.remove()
					removed()
					kubectl("get", "clientidentity", "jane")
					Expect(credentialOf("jane")).To(BeAnExistingFile(), "credentials stay")
					Expect(whoami(kubeconfig)).To(ContainSubstring("jane@example.com"), "access goes on")
					mallory := &v1alpha1.ClientIdentity{}
					mallory.Name, mallory.Spec.Username = "mallory", "mallory"
					Expect(admin.Create(ctx, mallory, client.DryRunAll)).To(MatchError(ContainSubstring("failed calling webhook")),
						"nobody asks for an identity that a later installation would serve")
				})
			}
		})
	}
})

// credentialOf writes the published kubeconfig of an identity to a file, as the README does.
func credentialOf(identity string) string {
	GinkgoHelper()
	encoded := kubectl("get", "secret", "--namespace", operator.SecretNamespace, identity+"-kubeconfig", "-o", "jsonpath={.data.kubeconfig}")
	kubeconfig, err := base64.StdEncoding.DecodeString(encoded)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), identity+".kubeconfig")
	Expect(os.WriteFile(file, kubeconfig, 0o600)).To(Succeed())
	return file
}

// whoami is whom the API server takes the holder of a kubeconfig for.
func whoami(kubeconfig string) (string, error) {
	return node.Run(node.Cluster.Kubectl(), "--kubeconfig", kubeconfig, "auth", "whoami")
}
