// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CertificateStatus describes the published certificate.
type CertificateStatus struct {
	// serialNumber is the serial number in hexadecimal.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	SerialNumber string `json:"serialNumber,omitempty"`

	// fingerprint is the SHA-256 of the certificate's DER in hexadecimal, as in the credential-id
	// X509SHA256=... that the API server writes into audit events.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// notBefore is the start of the validity; signers set it to some minutes before the issuance.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// notAfter is the end of the validity.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// requestTime is when the certificate was asked for: the lifetime that renewal counts with begins here.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RequestTime *metav1.Time `json:"requestTime,omitempty"`

	// renewalTime is when the certificate will be renewed. It is not set where renewing would gain no time.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RenewalTime *metav1.Time `json:"renewalTime,omitempty"`

	// issuer is the distinguished name of the CA that signed it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer,omitempty"`

	// authorityKeyID is the identifier of that CA's key in hexadecimal: it tells CAs of the same name apart.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	AuthorityKeyID string `json:"authorityKeyID,omitempty"`

	// requestedTTL is the lifetime that was asked for.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(\\\\.[0-9]+)?(h|m|s))+$') && duration(self) >= duration('1s')",message="must be a duration of a second or more, such as 2160h"
	RequestedTTL *metav1.Duration `json:"requestedTTL,omitempty"`

	// revokeIssuedBefore is the spec's revokeIssuedBefore that the certificate was asked with: another one makes a new key.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`

	// revision counts the certificates that were published for this identity, from 1.
	// +optional
	Revision int64 `json:"revision,omitempty"`
}

// IssuedCertificate is a certificate that was published and is still valid.
type IssuedCertificate struct {
	// revision is the revision that it was published as, from 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Revision int64 `json:"revision,omitempty"`

	// withdrawn is true for a certificate that was issued before a withdrawal of the identity. Where the identity is
	// active again it has its rights back, unless revokeIssuedBefore ended them.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`

	// fingerprint is the SHA-256 of the certificate's DER in hexadecimal.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// device is the device that made its key, with privateKey.source: Holder.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Device string `json:"device,omitempty"`

	// key is the SHA-256 of its public key (SubjectPublicKeyInfo in DER) in hexadecimal, with privateKey.source: Holder.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Key string `json:"key,omitempty"`

	// requestedBy is who asked for it, with privateKey.source: Holder: a user name, as the API server wrote it into the request.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	RequestedBy string `json:"requestedBy,omitempty"`

	// serialNumber is the serial number in hexadecimal.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	SerialNumber string `json:"serialNumber,omitempty"`

	// groups are the groups in the certificate.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	Groups []string `json:"groups,omitempty"`

	// notBefore is the start of the validity.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// notAfter is the end of the validity.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// issuer is the distinguished name of the CA that signed it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer,omitempty"`

	// revokeIssuedBefore is the spec's revokeIssuedBefore that it was asked with: a later one revokes it.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`
}

// RevokedCertificate is a certificate that is revoked on its own.
type RevokedCertificate struct {
	// fingerprint is the SHA-256 of the certificate's DER in hexadecimal, lower case, as in status.certificates and in audit
	// events after X509SHA256=.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{64}$')",message="must be the SHA-256 of the certificate in 64 digits of lower-case hexadecimal without colons, as in status.certificates"
	Fingerprint string `json:"fingerprint"`

	// reason is told to whoever uses the certificate: 1 to 256 printable characters, such as "laptop stolen".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]')",message="must not contain control or invisible formatting characters"
	Reason string `json:"reason,omitempty"`
}

// RevocationReach says how far a revocation or a withdrawal reaches.
// +kubebuilder:validation:Enum=Bindings;APIServer
type RevocationReach string

// How far a revocation or a withdrawal reaches.
const (
	// ReachBindings means that it takes away what the role bindings of the identity grant.
	ReachBindings RevocationReach = "Bindings"
	// ReachAPIServer means that the API server denies every request with the certificates, whoever granted them something.
	ReachAPIServer RevocationReach = "APIServer"
)

// OtherCertificates sums up valid certificates that are not listed one by one.
type OtherCertificates struct {
	// notAfter is when the last of them ends.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// groups are the groups that one of them or another carries, at most 64; credential groups of this identity are left out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	Groups []string `json:"groups,omitempty"`

	// moreGroups is true where there are groups that the list has no room for.
	// +optional
	MoreGroups bool `json:"moreGroups,omitempty"`

	// revokeIssuedBefore is the newest that one of them was asked with.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`

	// withdrawn is true where one of them was issued before a withdrawal of the identity.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`
}
