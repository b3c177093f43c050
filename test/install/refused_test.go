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
	Entry("memory in bytes, by mistake", "at '/resources/limits/memory': got number, want string", "--set", "resources.limits.memory=256"),
	Entry("memory in a unit that is none", "at '/resources/limits/memory': '256MB' does not match pattern", "--set", "resources.limits.memory=256MB"),
	Entry("no signer", "at '/allowedSigners': minItems: got 0, want 1", "--set-json", "allowedSigners=[]"),
	// In rules of RBAC no name means every name, as a selector without labels does.
	Entry("nothing for the signers", "at '': missing property 'allowedSigners'", "--set", "allowedSigners=null"),
	Entry("all signers of a domain", "at '/allowedSigners/0': 'kubernetes.io/*' does not match pattern", "--set", "allowedSigners={kubernetes.io/*}"),
	Entry("nothing for whether the webhook is on", "at '/webhook': missing property 'enabled'", "--set", "webhook.enabled=null"),
	Entry("nothing for whether identities are kept", "at '/crds': missing property 'keep'", "--set", "crds.keep=null"),
	Entry("no label for who reads metrics", "at '/networkPolicy/metricsNamespaceLabels': minProperties", "--set", "networkPolicy.metricsNamespaceLabels.metrics=null"),
	Entry("the webhook turned off by the way", `there is a value for "--enable-webhooks=false"`, "--set", "extraArgs={--enable-webhooks=false}"),
	Entry("a namespace of Secrets by the way", `there is a value for "--secret-namespaces=*"`, "--set", "extraArgs={--secret-namespaces=*}"),
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
