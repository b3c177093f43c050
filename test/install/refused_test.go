// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/helm"
)

// The message is what a person has who made the mistake: it says where, and what is wrong.
var _ = DescribeTable("Values that are wrong are refused",
	func(message string, args ...string) {
		_, err := cli.Template(ctx, args...)
		Expect(err).To(MatchError(ContainSubstring(message)))
	},
	Entry("a typo", "additional properties 'replica' not allowed", "--set", "replica=3"),
	Entry("a typo further down", "at '/webhook/certificate': additional properties 'provider' not allowed", "--set", "webhook.certificate.provider=CertManager"),
	Entry("a value of another type", "at '/replicas': got string, want integer", "--set-string", "replicas=3"),
	Entry("a switch that is no boolean", "at '/crds/keep': got string, want boolean", "--set-string", "crds.keep=false"),
	Entry("a word that is not offered", "at '/webhook/certificate/source': value must be one of 'Operator', 'CertManager'", "--set", "webhook.certificate.source=cert-manager"),
	Entry("a lifetime in days", "at '/maxTTL': '90d' does not match pattern", "--set", "maxTTL=90d"),
	Entry("a URL without https", "at '/kubeconfig/server': 'http://api' does not match pattern", "--set", "kubeconfig.server=http://api"),
	Entry("a digest that is none", "at '/image/digest': 'latest' does not match pattern", "--set", "image.digest=latest"),
	Entry("no signer", "at '/allowedSigners': minItems: got 0, want 1", "--set-json", "allowedSigners=[]"),
	Entry("roles that limit nothing", "set it to false", "--set", "bind.clusterRoles={view}"),
	Entry("Secrets where the operator runs", `"client-identity-system" is no place for private keys`, "--set", "secretNamespaces.default=client-identity-system"),
	Entry("Secrets in kube-system", `"kube-system" is no place for private keys`, "--set", "secretNamespaces.additional={kube-system}"),
	Entry("a namespace twice", `secretNamespaces.additional names "client-identities"`, "--set", "secretNamespaces.additional={client-identities}"),
	Entry("namespaces beside all", "leave secretNamespaces.additional empty", "--set", "secretNamespaces.additional={team-a},secretNamespaces.all=true"),
	Entry("an endpoint without the webhook", "set webhook.enabled to true", "--set", "auditWebhook.enabled=true,webhook.enabled=false"),
	Entry("dormancy without audit events", "auditWebhook.dormantAfter needs auditWebhook.enabled", "--set", "auditWebhook.dormantAfter=24h"),
	Entry("a scrape of what is off", "metrics.serviceMonitor.enabled needs metrics.enabled", "--set", "metrics.enabled=false,metrics.serviceMonitor.enabled=true"),
)

var _ = Describe("A namespace that is shared", func() {
	It("is refused for the operator", func() {
		for _, namespace := range []string{"default", "kube-system", "kube-public"} {
			_, err := cli.Run(ctx, "template", "cio", helm.Chart, "--namespace", namespace)
			Expect(err).To(MatchError(ContainSubstring("add --namespace client-identity-system --create-namespace")), namespace)
		}
	})
})
