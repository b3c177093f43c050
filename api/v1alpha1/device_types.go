// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DeviceState says whether a device is let renew its certificate.
// +kubebuilder:validation:Enum=Active;Suspended;Revoked
type DeviceState string

// Whether a device is let renew its certificate.
const (
	// DeviceActive means that it renews with its newest certificate, while that is valid.
	DeviceActive DeviceState = "Active"
	// DeviceSuspended means that a certificate that it had renewed already was used to renew again: somebody has a copy of its
	// key. Nothing renews until the device is revoked or invited again.
	DeviceSuspended DeviceState = "Suspended"
	// DeviceRevoked means that one of its certificates was revoked. Nothing renews until it is invited again.
	DeviceRevoked DeviceState = "Revoked"
)

// Device is a device of the holder. It makes its own keys: what stands here was told by the CertificateSigningRequests that it
// made, and by the certificates that were issued.
type Device struct {
	// name is what the holder calls it: a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// state is Active, Suspended or Revoked.
	// +optional
	State DeviceState `json:"state,omitempty"`

	// message says why it is in that state, where it is not Active.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// fingerprint is the SHA-256 of its newest certificate's DER in hexadecimal: the only one that it may renew with.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// revision is the revision of its newest certificate, as in certificates.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Revision int64 `json:"revision,omitempty"`

	// notAfter is when its newest certificate ends.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// renewalTime is when the device is expected to renew: kubectl clientidentity does, with the first request after it.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RenewalTime *metav1.Time `json:"renewalTime,omitempty"`

	// enrolledAt is when the device was approved first, or again after it was suspended, revoked or gone.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	EnrolledAt *metav1.Time `json:"enrolledAt,omitempty"`

	// enrolledBy is who asked for the certificate that it was enrolled with: a user name, mostly that of the ServiceAccount of an invitation.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	EnrolledBy string `json:"enrolledBy,omitempty"`

	// enrolledRevision is the revision of the first certificate since it was enrolled.
	// +optional
	// +kubebuilder:validation:Minimum=0
	EnrolledRevision int64 `json:"enrolledRevision,omitempty"`

	// key is the SHA-256 of the public key of its newest certificate (SubjectPublicKeyInfo in DER), in hexadecimal.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Key string `json:"key,omitempty"`

	// approval is the request of it that is to be approved, or was approved last: it is written before that is done, since what it was
	// entitled by counts once.
	// +optional
	Approval *DeviceApproval `json:"approval,omitempty"`
}

// DeviceApproval is what entitled a device to its newest certificate.
type DeviceApproval struct {
	// certificateSigningRequest is the name of the request.
	// +required
	// +kubebuilder:validation:MaxLength=253
	CertificateSigningRequest string `json:"certificateSigningRequest"`

	// uid is its UID.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid,omitempty"`

	// credential is what it was made with, where that entitles once: X509SHA256=<fingerprint> or JTI=<identifier of a token>.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Credential string `json:"credential,omitempty"`

	// key is the SHA-256 of the public key in it, as in devices: a credential entitles to a certificate for one key.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Key string `json:"key,omitempty"`

	// time is when it was decided.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	Time *metav1.Time `json:"time,omitempty"`
}

// AcceptedInvitation is an invitation that was accepted.
type AcceptedInvitation struct {
	// id is the identifier of its token (JTI).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ID string `json:"id"`

	// device is the device that it was accepted for.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Device string `json:"device,omitempty"`

	// time is when it was accepted.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	Time *metav1.Time `json:"time,omitempty"`
}

// EnrolmentReference refers to the ServiceAccount whose tokens are invitations: whoever may create tokens for it may invite.
type EnrolmentReference struct {
	// namespace is the namespace of the ServiceAccount: that of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// name is its name: clientidentity-<name of the identity>-enrolment.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid is its UID: tokens of another one of the same name are no invitations.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid,omitempty"`

	// revokeIssuedBefore is the spec's when it was made: with another one it is made anew, which ends open invitations.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`
}
