// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// defaultClusterName is the name of a cluster that nobody named: the one that kubeadm writes.
const defaultClusterName = "kubernetes"

// hashVersion begins every hash of parameters. Change it when Render changes what it writes for the same
// parameters, so that published kubeconfigs are rendered again.
const hashVersion = "v1:"

// Cluster is what the operator knows of its cluster.
type Cluster struct {
	// Server is the URL of the API server as its users reach it.
	Server string
	// CertificateAuthorityData is the PEM bundle that the server's certificate is checked against.
	CertificateAuthorityData []byte
	// Name is the operator's --cluster-name. It may be empty.
	Name string
}

// Parameters is all that a kubeconfig says besides the credential. None of it is secret.
type Parameters struct {
	Server        string
	TLSServerName string
	ProxyURL      string
	ClusterName   string
	// ContextName is the name of the context and of the user.
	ContextName string
	// Namespace is the default namespace of the context; empty means the client's own default.
	Namespace string
	// CertificateAuthorityData is a PEM bundle; empty means the CAs that the client's machine trusts.
	CertificateAuthorityData []byte
}

// ParametersFor returns what the kubeconfig of an identity says: spec.kubeconfig where it says something,
// then what the operator knows. The cluster is named "kubernetes" if nobody named it; context and user
// are named <identity>@<cluster>, so that the kubeconfigs of many clusters merge.
func ParametersFor(id *v1alpha1.ClientIdentity, cluster Cluster) Parameters {
	template := id.Spec.Kubeconfig
	ca := template.CertificateAuthorityData
	if len(ca) == 0 {
		ca = cluster.CertificateAuthorityData
	}
	clusterName := cmp.Or(template.ClusterName, cluster.Name, defaultClusterName)
	return Parameters{
		Server:                   cmp.Or(template.Server, cluster.Server),
		TLSServerName:            template.TLSServerName,
		ProxyURL:                 template.ProxyURL,
		ClusterName:              clusterName,
		ContextName:              cmp.Or(template.ContextName, id.Name+"@"+clusterName),
		Namespace:                template.Namespace,
		CertificateAuthorityData: bytes.Clone(ca), // the cluster's is shared by all identities
	}
}

// Hash returns "v1:" and 32 hexadecimal digits. Another hash means that the kubeconfig would be rendered
// differently. It does not cover the credential, nor the key of the Secret that holds the kubeconfig.
func (p Parameters) Hash() string {
	// The names and the order of the fields are the encoding: changing them changes every hash.
	encoding := struct {
		Server        string `json:"server"`
		TLSServerName string `json:"tlsServerName"`
		ProxyURL      string `json:"proxyURL"`
		ClusterName   string `json:"clusterName"`
		ContextName   string `json:"contextName"`
		Namespace     string `json:"namespace"`
		CA            string `json:"certificateAuthorityData"`
	}{p.Server, p.TLSServerName, p.ProxyURL, p.ClusterName, p.ContextName, p.Namespace, hex.EncodeToString(p.CertificateAuthorityData)}
	// Strings always marshal.
	data, _ := json.Marshal(encoding)
	sum := sha256.Sum256(data)
	return hashVersion + hex.EncodeToString(sum[:16])
}
