// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// format is what a tool looks for in a Secret, besides what every published one has. Formats are a closed list and no
// template of the user's: whoever may write identities decides nothing about keys and types that other tools act on, and each
// one is tested with the code of the tool that reads it.
type format struct {
	secretType corev1.SecretType
	// labels returns the labels for a Secret of that name.
	labels func(name string) map[string]string
	// add adds keys to the content of a Secret, which is complete otherwise.
	add func(data map[string][]byte, p kubeconfig.Parameters, config []byte) error
}

// formatOf returns a format of the API.
func formatOf(name v1alpha1.SecretFormat) format {
	switch name {
	case v1alpha1.FormatArgoCDCluster:
		return format{corev1.SecretTypeOpaque, argoCDLabels, addArgoCDCluster}
	case v1alpha1.FormatClusterAPI:
		return format{"cluster.x-k8s.io/secret", clusterAPILabels, addValue}
	}
	return format{
		corev1.SecretTypeOpaque, func(string) map[string]string { return nil },
		func(map[string][]byte, kubeconfig.Parameters, []byte) error { return nil },
	}
}

func argoCDLabels(string) map[string]string {
	return map[string]string{"argocd.argoproj.io/secret-type": "cluster"}
}

// clusterAPILabels returns the label that names the cluster: the Secret is named after it.
func clusterAPILabels(name string) map[string]string {
	return map[string]string{"cluster.x-k8s.io/cluster-name": strings.TrimSuffix(name, "-kubeconfig")}
}

// addArgoCDCluster adds a cluster as Argo CD declares it (its documentation: declarative setup, clusters).
func addArgoCDCluster(data map[string][]byte, p kubeconfig.Parameters, _ []byte) error {
	type tlsClientConfig struct {
		Insecure   bool   `json:"insecure"`
		ServerName string `json:"serverName,omitempty"`
		CAData     []byte `json:"caData,omitempty"`
		CertData   []byte `json:"certData"`
		KeyData    []byte `json:"keyData"`
	}
	config, err := json.Marshal(struct {
		TLSClientConfig tlsClientConfig `json:"tlsClientConfig"`
		ProxyURL        string          `json:"proxyUrl,omitempty"`
	}{
		tlsClientConfig{
			ServerName: p.TLSServerName, CAData: p.CertificateAuthorityData, CertData: data[v1alpha1.CertificateKey], KeyData: data[v1alpha1.PrivateKeyKey],
		}, p.ProxyURL,
	})
	if err != nil {
		return fmt.Errorf("encode the cluster's config: %w", err)
	}
	data["name"], data["server"], data["config"] = []byte(p.ClusterName), []byte(p.Server), config
	return nil
}

// addValue adds the kubeconfig under the key that Cluster API has it, and Flux looks for.
func addValue(data map[string][]byte, _ kubeconfig.Parameters, config []byte) error {
	data["value"] = config
	return nil
}
