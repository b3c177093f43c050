// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/helm"
	"github.com/clientidentity/operator/test/operator"
)

// release is what users name it; nothing depends on it.
const release = "client-identity-operator"

var _ = Describe("helm, on a real API server", func() {
	It("installs the chart and uninstalls it", func() {
		// The control plane has no nodes: nothing becomes available.
		notes, err := cli.Run(ctx, "install", release, helm.Chart, "--namespace", operator.Namespace, "--create-namespace", "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		Expect(notes).To(ContainSubstring("kubectl rollout status deployment/client-identity-operator --namespace client-identity-system"))
		_, err = cli.Run(ctx, "uninstall", release, "--namespace", operator.Namespace, "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Get(ctx, client.ObjectKey{Name: operator.SecretNamespace}, &corev1.Namespace{})).To(Succeed())
	})
})
