// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// SecretFormat says which tool a Secret is for.
// +kubebuilder:validation:Enum=Kubeconfig;ArgoCDCluster;ClusterAPI
type SecretFormat string

// The formats of Secrets.
const (
	// FormatKubeconfig has a kubeconfig, and certificate, key and CA one by one.
	FormatKubeconfig SecretFormat = "Kubeconfig"
	// FormatArgoCDCluster is also a cluster that Argo CD deploys to.
	FormatArgoCDCluster SecretFormat = "ArgoCDCluster"
	// FormatClusterAPI is also the kubeconfig of a cluster as Cluster API publishes it.
	FormatClusterAPI SecretFormat = "ClusterAPI"
)

// SecretTemplate says where a credential is published, and how the Secret is marked.
//
// +kubebuilder:validation:XValidation:rule="!has(self.format) || self.format != 'ClusterAPI' || !has(self.name) || self.name.matches('^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?-kubeconfig$')",fieldPath=".name",message="must be <cluster>-kubeconfig where format is ClusterAPI, with a cluster name of at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.format) || self.format != 'ArgoCDCluster' || !has(self.kubeconfigKey) || !(self.kubeconfigKey in ['name', 'server', 'config', 'namespaces', 'clusterResources', 'project', 'shard'])",fieldPath=".kubeconfigKey",message="must be none of the keys that Argo CD reads (name, server, config, namespaces, clusterResources, project, shard) where format is ArgoCDCluster"
type SecretTemplate struct {
	// namespace is the namespace of the Secret: one that the operator may write to (its flag
	// --secret-namespaces). It defaults to the operator's --default-secret-namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the Secret. It defaults to <name of the identity>-kubeconfig. A Secret of that
	// name that is not the operator's is never overwritten.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// format adds what a tool reads to the keys kubeconfig, tls.crt, tls.key and ca.crt, which every Secret has: Kubeconfig
	// (the default) nothing; ArgoCDCluster the label argocd.argoproj.io/secret-type and the keys name (the cluster's),
	// server and config; ClusterAPI the type cluster.x-k8s.io/secret, the label cluster.x-k8s.io/cluster-name (name without
	// -kubeconfig) and the key value with the kubeconfig, which Flux reads too. Another type replaces the Secret.
	// +optional
	Format SecretFormat `json:"format,omitempty"`

	// labels are set on the Secret besides the operator's own: at most 32. Keys with the prefix clientidentity.dev/ and
	// app.kubernetes.io/managed-by are the operator's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="keys must be label names, such as team or example.com/team"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('clientidentity.dev/') && k != 'app.kubernetes.io/managed-by')",message="keys with the prefix clientidentity.dev/ and app.kubernetes.io/managed-by are set by the operator"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are set on the Secret besides the operator's own: at most 32, with values of at most 4096
	// characters. Keys with the prefix clientidentity.dev/ are the operator's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k.lowerAscii()).hasValue())",message="keys must be annotation names, such as note or example.com/note"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.lowerAscii().startsWith('clientidentity.dev/'))",message="keys with the prefix clientidentity.dev/ are set by the operator"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// kubeconfigKey is the key of the Secret that holds the kubeconfig. It defaults to kubeconfig and must
	// not be tls.crt, tls.key or ca.crt.
	// +optional
	// +kubebuilder:default=kubeconfig
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	// +kubebuilder:validation:XValidation:rule="!(self in ['tls.crt', 'tls.key', 'ca.crt', '.']) && !self.startsWith('..')",message="must be a key of a Secret other than tls.crt, tls.key and ca.crt"
	KubeconfigKey string `json:"kubeconfigKey,omitempty"`

	// holderCanRead lets the holder of the credential, and nobody else, read this Secret, so that each renewed
	// kubeconfig can be fetched with the one before. It requires bindTo: Credential, so that revoking ends it.
	// +optional
	HolderCanRead bool `json:"holderCanRead,omitempty"`
}

// KubeconfigTemplate overrides what a published kubeconfig says of the cluster.
type KubeconfigTemplate struct {
	// server is the https URL of the API server, without user, query and fragment. It defaults to what the operator
	// knows of the cluster (status.server says where from).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self == '' || (isURL(self) && url(self).getScheme() == 'https' && url(self).getHostname() != '' && !self.matches('[\\\\s\\\\p{Z}\\\\p{C}?#]|//[^/]*@'))",message="must be an https:// URL such as https://api.example.com:6443, without user, query and fragment"
	Server string `json:"server,omitempty"`

	// certificateAuthorityData is the PEM bundle of CA certificates that the server's certificate is checked
	// against, in base64 without line breaks as in a kubeconfig: at most 262144 characters. It defaults to the
	// cluster's own.
	// +optional
	// +kubebuilder:validation:Format=""
	// +kubebuilder:validation:MaxLength=262144
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')",message="must be PEM in base64 without line breaks, as base64 -w0 ca.crt prints it"
	CertificateAuthorityData []byte `json:"certificateAuthorityData,omitempty"`

	// tlsServerName is the DNS name or IP address that the server's certificate is checked for, where it is not the
	// host of the server's URL.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-a-zA-Z0-9._:]*$')",message="must be a DNS name or an IP address"
	TLSServerName string `json:"tlsServerName,omitempty"`

	// proxyURL is the proxy that clients reach the server through: an http, https or socks5 URL. None by default. A
	// password in it can be read by everybody who may read the identity.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self == '' || (isURL(self) && url(self).getScheme() in ['http', 'https', 'socks5'] && url(self).getHostname() != '' && !self.matches('[\\\\s\\\\p{Z}\\\\p{C}]'))",message="must be an http://, https:// or socks5:// URL such as http://proxy.example.com:3128"
	ProxyURL string `json:"proxyURL,omitempty"`

	// clusterName is the name of the cluster in the kubeconfig. It defaults to the operator's --cluster-name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]')",message="must not contain control or invisible formatting characters"
	ClusterName string `json:"clusterName,omitempty"`

	// contextName is the name of the context and of the user in the kubeconfig. It defaults to
	// <name of the identity>@<cluster name>, so that kubeconfigs of many clusters merge.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]')",message="must not contain control or invisible formatting characters"
	ContextName string `json:"contextName,omitempty"`

	// namespace is the namespace that kubectl uses where none is given. By default the kubeconfig names none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	Namespace string `json:"namespace,omitempty"`
}
