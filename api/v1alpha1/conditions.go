// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The condition Ready says whether the identity can be used as the spec asks: a proven credential is
// published and every binding is in place. A withdrawn identity has no Ready condition (kstatus would
// read Ready=False as in progress for ever).
const (
	ConditionReady = "Ready"

	// ReasonReady surfaces on Ready=True.
	ReasonReady = "Ready"
)

// The condition CertificateIssued says whether the published certificate is valid. When it is True, its
// reason still tells of anything that stands in the way of the next one.
const (
	ConditionCertificateIssued = "CertificateIssued"

	// ReasonIssued surfaces on CertificateIssued=True: the certificate is as asked for.
	ReasonIssued = "Issued"
	// ReasonTTLShortened surfaces on CertificateIssued=True: the signer, --max-ttl or accessUntil gave it a
	// shorter lifetime than spec.ttl. Nothing is requested again for that.
	ReasonTTLShortened = "TTLShortened"
	// ReasonLifetimeCapped surfaces on CertificateIssued=True: renewing would gain no time as far as is known, since
	// certificates end with the signer's CA, of which another one is tried for from time to time, or with accessUntil.
	ReasonLifetimeCapped = "LifetimeCapped"
	// ReasonAccessEnding surfaces when accessUntil is less than ten minutes away: nothing is requested any more.
	ReasonAccessEnding = "AccessEnding"
	// ReasonIssuerSuperseded surfaces on CertificateIssued=True: newer certificates of the same signer come from
	// another CA, so this one's is probably being replaced. Request a renewal before it is dropped.
	ReasonIssuerSuperseded = "IssuerSuperseded"
	// ReasonIssuerNotTrusted surfaces when the API server no longer accepts certificates of the CA that issued
	// the published one. A new one is issued, at a time that spreads many of them.
	ReasonIssuerNotTrusted = "IssuerNotTrusted"
	// ReasonExpired surfaces on CertificateIssued=False: the published certificate has ended and no new one
	// was issued in time.
	ReasonExpired = "Expired"

	// ReasonReadyToEnroll surfaces with privateKey.source: Holder on CertificateIssued=False, and on Ready=True: no device has a valid
	// certificate, and one can be enrolled. Ready does not wait for people.
	ReasonReadyToEnroll = "ReadyToEnroll"

	// ReasonPending surfaces while a request waits for its signer, or while more role bindings are to be written than one
	// pass has time for.
	ReasonPending = "Pending"
	// ReasonIssuedTooOften surfaces when ten certificates were issued within five minutes, since something deletes the
	// Secret or changes the spec in a loop: the next one waits.
	ReasonIssuedTooOften = "IssuedTooOften"
	// ReasonDenied surfaces when somebody denied the request. Nothing is asked again until the spec changes
	// or a renewal is requested.
	ReasonDenied = "Denied"
	// ReasonSignerFailed surfaces when the signer marked the request as failed.
	ReasonSignerFailed = "SignerFailed"
	// ReasonSignerNotServing surfaces when an approved request was not signed for ten minutes: nobody serves
	// the signer. The request stays open; no other one is made.
	ReasonSignerNotServing = "SignerNotServing"
	// ReasonRequestRejected surfaces when the API server refuses the request as invalid or forbids to create it.
	ReasonRequestRejected = "RequestRejected"
	// ReasonSignerNotAllowed surfaces when a certificate is to be asked of a signer that is none of --allowed-signers.
	ReasonSignerNotAllowed = "SignerNotAllowed"
	// ReasonApprovalForbidden surfaces when the operator may not approve requests for the signer.
	ReasonApprovalForbidden = "ApprovalForbidden"
	// ReasonRequestLost surfaces when the open request was deleted, or changed, by somebody else.
	ReasonRequestLost = "RequestLost"
	// ReasonCertificateRejected surfaces when the signer issued something else than was asked for.
	ReasonCertificateRejected = "CertificateRejected"
	// ReasonNotAccepted surfaces when the API server does not accept the new credential, or takes it for
	// somebody else: it is not published.
	ReasonNotAccepted = "NotAccepted"
	// ReasonOutlivesAccess surfaces when the signer issued a certificate that ends after accessUntil: it is
	// discarded.
	ReasonOutlivesAccess = "OutlivesAccess"
	// ReasonUnavailable surfaces when the API server did not answer, or answered that it is overloaded.
	ReasonUnavailable = "Unavailable"
)

// Reasons about the ServiceAccount of invitations and what else holders need, on CertificateIssued and Ready with privateKey.source: Holder.
const (
	// ReasonEnrolmentConflict surfaces when a ServiceAccount of the wanted name exists that is not this identity's, or that somebody's
	// finalizer keeps: nobody can be invited until it is gone.
	ReasonEnrolmentConflict = "EnrolmentConflict"
	// ReasonEnrolmentForbidden surfaces when the API server does not let the operator make the ServiceAccount.
	ReasonEnrolmentForbidden = "EnrolmentForbidden"
	// ReasonSecretReadable surfaces after a change of privateKey.source to Operator, while a role binding still lets former devices or
	// invitations read the Secret: no key is published until it is gone.
	ReasonSecretReadable = "SecretReadable"
)

// Reasons about the Secret and the kubeconfig, on CertificateIssued and Ready.
const (
	// ReasonSecretConflict surfaces when a Secret of the wanted name exists that is not this identity's.
	ReasonSecretConflict = "SecretConflict"
	// ReasonSecretNamespaceMissing surfaces when the namespace of the Secret does not exist or is terminating.
	ReasonSecretNamespaceMissing = "SecretNamespaceMissing"
	// ReasonSecretNamespaceNotAllowed surfaces when the Secret's namespace is none of --secret-namespaces.
	ReasonSecretNamespaceNotAllowed = "SecretNamespaceNotAllowed"
	// ReasonSecretRejected surfaces when the API server refuses to store the Secret.
	ReasonSecretRejected = "SecretRejected"
	// ReasonServerUnknown surfaces when nothing tells the URL of the API server for the kubeconfig, and on
	// CertificateIssued=True when nothing does any more: the published kubeconfig keeps the last one.
	ReasonServerUnknown = "ServerUnknown"
	// ReasonInvalidSpec surfaces when the spec holds something that only the operator can check, such as a
	// CA bundle that is not PEM.
	ReasonInvalidSpec = "InvalidSpec"
)

// The condition AccessBound says whether the role bindings are exactly those asked for.
const (
	ConditionAccessBound = "AccessBound"

	// ReasonBound surfaces on AccessBound=True.
	ReasonBound = "Bound"
	// ReasonBindingConflict surfaces when a binding of a wanted name exists that is not this identity's.
	ReasonBindingConflict = "BindingConflict"
	// ReasonNamespaceMissing surfaces when the namespace of a binding does not exist or is terminating.
	ReasonNamespaceMissing = "NamespaceMissing"
	// ReasonBindingForbidden surfaces when the API server does not let the operator make a binding, and on Stalled=True:
	// a person grants the operator bind on the role, or chooses another one.
	ReasonBindingForbidden = "BindingForbidden"
	// ReasonBindingAltered surfaces when admission of the cluster changes the labels that the operator gives a binding: no
	// watch tells of it then. The binding grants what it should.
	ReasonBindingAltered = "BindingAltered"
	// ReasonBindingTerminating surfaces while a binding that is to go, or to be made anew, is held by
	// somebody's finalizer. Its subjects are emptied, so that it grants nothing.
	ReasonBindingTerminating = "BindingTerminating"
)

// The condition RevocationComplete says whether certificates from before spec.revokeIssuedBefore have anything left that this
// identity granted, and whether those of spec.revokedCertificates are denied. It is there while one of the two is set and the
// identity is active.
const (
	ConditionRevocationComplete = "RevocationComplete"

	// ReasonRevoked surfaces on RevocationComplete=True: no older certificate has anything that a role binding of this
	// identity grants, or none is valid any more.
	ReasonRevoked = "Revoked"
	// ReasonBindingNotRevoked surfaces on RevocationComplete=False, and on CertificateIssued, when a role binding of this
	// identity still names older certificates, and can neither be changed nor deleted. Nothing is published meanwhile, since
	// their holder might read it.
	ReasonBindingNotRevoked = "BindingNotRevoked"
	// ReasonOlderCertificatesValid surfaces on RevocationComplete=False with bindTo: Username: older certificates keep what
	// the user name is granted until they end.
	ReasonOlderCertificatesValid = "OlderCertificatesValid"
	// ReasonDeniedByAPIServer surfaces on RevocationComplete=True: the API server denies every request with a revoked
	// certificate, whoever granted it something. That is found out by trying.
	ReasonDeniedByAPIServer = "DeniedByAPIServer"
	// ReasonNotDenied surfaces on RevocationComplete=False: spec.revokedCertificates has a certificate that is valid, and the API
	// server does not ask the operator which ones to deny.
	ReasonNotDenied = "NotDenied"
)

// The condition CredentialReused is True while a device is suspended, since a certificate that it had renewed already was used to renew
// again: somebody has a copy of its key. It is absent otherwise.
const (
	ConditionCredentialReused = "CredentialReused" //nolint:gosec // a condition, and no credential

	// ReasonDeviceSuspended surfaces on CredentialReused=True.
	ReasonDeviceSuspended = "DeviceSuspended"
)

// The condition Dormant is True when nobody used the identity for --dormant-after, as far as the API server's audit events
// tell. It is absent otherwise, also while no audit events come: nothing is said of what nobody watches.
const (
	ConditionDormant = "Dormant"

	// ReasonUnused surfaces on Dormant=True.
	ReasonUnused = "Unused"
)

// Conditions of kstatus (sigs.k8s.io/cli-utils), present only while they are true.
const (
	// ConditionReconciling is True while the operator works on something that will end by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when nothing goes on until a person changes something.
	ConditionStalled = "Stalled"
)

// The condition Withdrawn is True, and Ready is absent, when the identity has no access.
const (
	ConditionWithdrawn = "Withdrawn"

	// ReasonWithdrawnByState surfaces when spec.state is Withdrawn.
	ReasonWithdrawnByState = "StateWithdrawn"
	// ReasonAccessEnded surfaces when spec.accessUntil has passed.
	ReasonAccessEnded = "AccessEnded"
	// ReasonDormant surfaces when nobody used the identity for --dormant-after, and spec.whenDormant is Withdraw.
	ReasonDormant = "Dormant"
	// ReasonDeleting surfaces when the identity is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonWithdrawing surfaces on Ready=False while bindings or the Secret of a withdrawn identity still exist.
	ReasonWithdrawing = "Withdrawing"
)

// ReasonUsernameInUse surfaces when an older ClientIdentity has the same username and not both of them
// have bindTo: Credential.
const ReasonUsernameInUse = "UsernameInUse"
