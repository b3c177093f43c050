// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels and annotations that the operator sets or reads.
const (
	// ManagedByLabel is the recommended label of Kubernetes that names the tool managing an object.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedByValue is the value of ManagedByLabel on everything that the operator makes.
	ManagedByValue = "client-identity-operator"
	// IdentityLabel names the ClientIdentity that an object was made for. It finds objects; ownership is
	// proven by the UID in the controller owner reference alone.
	IdentityLabel = "clientidentity.dev/identity"

	// RenewRequestedAtAnnotation on a ClientIdentity asks for a new certificate: whenever its value changes,
	// one is issued. A time is the usual value.
	RenewRequestedAtAnnotation = "clientidentity.dev/renew-requested-at"

	// RequestHashAnnotation on a published Secret records which request its certificate answers.
	RequestHashAnnotation = "clientidentity.dev/request-hash"
	// KubeconfigHashAnnotation on a published Secret records which settings its kubeconfig was rendered from.
	KubeconfigHashAnnotation = "clientidentity.dev/kubeconfig-hash"
	// ManagedMetadataAnnotation on a published Secret records the names of the labels and annotations that came
	// from spec.secret, so that those that are asked for no longer are removed and foreign ones are kept.
	ManagedMetadataAnnotation = "clientidentity.dev/managed-metadata"

	// CredentialGroupPrefix begins the group that binds rights to a credential (bindTo: Credential).
	CredentialGroupPrefix = "clientidentity.dev:"
	// CertificateGroupPrefix begins the group that tells a certificate from all others, where the API server asks which ones to deny.
	CertificateGroupPrefix = CredentialGroupPrefix + "certificate:"
)

// What holders and their devices need, with privateKey.source: Holder.
const (
	// HolderClusterRole lets holders and invitations create and get CertificateSigningRequests, and nothing else. It is installed with
	// the operator.
	HolderClusterRole = "client-identity-operator-holder"
	// RequestKey is the key of the published Secret that tells devices what to ask for. Nothing in it is secret.
	RequestKey = "request.json"
)

// Keys of a published Secret, beside the one that spec.secret.kubeconfigKey names.
const (
	// CertificateKey holds the client certificate (PEM), as in a Secret of type kubernetes.io/tls.
	CertificateKey = "tls.crt"
	// PrivateKeyKey holds the private key (PEM, PKCS #8), as in a Secret of type kubernetes.io/tls.
	PrivateKeyKey = "tls.key"
	// CAKey holds the CA certificates of the API server (PEM).
	CAKey = "ca.crt"
)
