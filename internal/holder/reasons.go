// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

// Reasons of the condition Denied on a request that is about one of our identities. Devices act on them, and people read the message beside.
const (
	// ReasonNotEntitled means that the maker is none of the three who may: the identity's own user with the newest certificate of
	// the device, an invitation, or somebody who may impersonate user and groups.
	ReasonNotEntitled = "NotEntitled"
	// ReasonCredentialUnknown means that the user is right, and that the request was made without a certificate, or with one that the status does not list
	// for this device.
	ReasonCredentialUnknown = "CredentialUnknown" //nolint:gosec // a reason, and no credential
	// ReasonCredentialExpired means that the certificate that it was made with has ended.
	ReasonCredentialExpired = "CredentialExpired" //nolint:gosec // a reason, and no credential
	// ReasonCredentialRevoked means that the certificate that it was made with is revoked, or another one of that device.
	ReasonCredentialRevoked = "CredentialRevoked" //nolint:gosec // a reason, and no credential
	// ReasonCredentialReused means that the certificate that it was made with had been renewed already: the device is suspended.
	ReasonCredentialReused = "CredentialReused" //nolint:gosec // a reason, and no credential
	// ReasonDeviceSuspended means that the device is suspended: it is to be invited again.
	ReasonDeviceSuspended = "DeviceSuspended"
	// ReasonDeviceExists means that another device of that name has a valid certificate.
	ReasonDeviceExists = "DeviceExists"
	// ReasonTooManyDevices means that spec.maxDevices have valid certificates.
	ReasonTooManyDevices = "TooManyDevices"
	// ReasonInvitationUsed means that the invitation was accepted before, or that it is none of the present ServiceAccount.
	ReasonInvitationUsed = "InvitationUsed"
	// ReasonRequestOpen means that another request of the device is open.
	ReasonRequestOpen = "RequestOpen"
	// ReasonIssuedTooOften means that the device has asked too often of late.
	ReasonIssuedTooOften = "IssuedTooOften"
	// ReasonNameMismatch means that name and label of the request are not about the same identity, or that the name has another form.
	ReasonNameMismatch = "NameMismatch"
	// ReasonSignerMismatch means that it is for another signer than the spec's.
	ReasonSignerMismatch = "SignerMismatch"
	// ReasonUsagesMismatch means that it asks for other usages than digital signature and client auth.
	ReasonUsagesMismatch = "UsagesMismatch"
	// ReasonSubjectMismatch means that user or groups are not exactly those of the spec: get the new parameters.
	ReasonSubjectMismatch = "SubjectMismatch"
	// ReasonLifetimeMismatch means that it asks for no lifetime, or for a longer one than the spec allows.
	ReasonLifetimeMismatch = "LifetimeMismatch"
	// ReasonKeyMismatch means that its key is not of the spec's algorithm, or is smaller.
	ReasonKeyMismatch = "KeyMismatch"
	// ReasonRequestInvalid means that it cannot be read, has attributes, or is not signed with its key.
	ReasonRequestInvalid = "RequestInvalid"
	// ReasonNotForHolders means that the operator makes the keys of this identity (privateKey.source).
	ReasonNotForHolders = "NotForHolders"
	// ReasonAccessEnded means that the identity is withdrawn, has ended, or is being deleted.
	ReasonAccessEnded = "AccessEnded"
)
