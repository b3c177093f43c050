// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LastUsed is the last use of an identity, and of each of its certificates.
type LastUsed struct {
	CertificateUse `json:",inline"`

	// certificates are the last uses of each certificate that is listed in status.certificates and was used, newest first,
	// at most 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Certificates []CertificateUse `json:"certificates,omitempty"`
}

// CertificateUse is the last use of a certificate: a request to the API server, whether it was allowed or not. What the
// operator does to prove a credential is none.
type CertificateUse struct {
	// fingerprint is the fingerprint of the certificate, as in status.certificates.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint"`

	// revision is the revision that the certificate was published as.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Revision int64 `json:"revision,omitempty"`

	// time is when the API server was done with the request, or began to answer where it still does.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	Time metav1.Time `json:"time"`

	// sourceAddress is the IP address that the API server saw the request come from: of the client, or of a proxy or load
	// balancer before the API server. What clients say of themselves (X-Forwarded-For) is not looked at.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SourceAddress string `json:"sourceAddress,omitempty"`

	// userAgent is what the client called itself, at most 256 bytes: anybody can write there what they like.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	UserAgent string `json:"userAgent,omitempty"`
}
