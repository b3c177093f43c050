// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

// What the status says of a revocation, for those who read it: the tests spell it out, so that it changes for nobody.
const (
	// RevocationComplete is there while spec.revokeIssuedBefore is set and the identity is active.
	RevocationComplete = "RevocationComplete"
	// Revoked: no certificate from before has any right that the identity granted.
	Revoked = "Revoked"
	// BindingNotRevoked: a binding still names an older credential, and can neither be changed nor deleted.
	BindingNotRevoked = "BindingNotRevoked"
	// OlderCertificatesValid: the bindings name the user, so older certificates keep what they grant.
	OlderCertificatesValid = "OlderCertificatesValid"
)
