// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ClientIdentityStatus is what the operator has observed and done. It never holds key material.
type ClientIdentityStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of; -1 before the first one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state says in one word how it stands with this identity: Pending, Waiting, Stalled, Ready, AtRisk, Withdrawing or
	// Withdrawn. It sums the conditions up, for people: programs read those.
	// +optional
	State ObservedState `json:"state,omitempty"`

	// stateReason is why it is in that state: a reason of the conditions.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	StateReason string `json:"stateReason,omitempty"`

	// conditions are Ready, CertificateIssued and AccessBound; RevocationComplete while spec.revokeIssuedBefore is set; and, only
	// while true, Reconciling, Stalled, CredentialReused, Dormant and Withdrawn.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('0001-01-01T00:00:00Z') && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59.999999999Z'))",message="lastTransitionTime must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// certificate is the certificate that is published in the Secret.
	// +optional
	Certificate *CertificateStatus `json:"certificate,omitempty"`

	// certificates are the published certificate and earlier ones that are still valid, newest first, at most 20: the newest
	// ten, and of the others those that are valid longest.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Certificates []IssuedCertificate `json:"certificates,omitempty"`

	// otherCertificates tells what there was no room for in certificates.
	// +optional
	OtherCertificates *OtherCertificates `json:"otherCertificates,omitempty"`

	// completedRevocation is the spec's revokeIssuedBefore for which the condition RevocationComplete became true last, with
	// bindTo: Credential: no role binding of this identity gives anything to a certificate that was issued before.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	CompletedRevocation *metav1.Time `json:"completedRevocation,omitempty"`

	// outstandingUntil is when the last certificate ever issued for this identity ends.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	OutstandingUntil *metav1.Time `json:"outstandingUntil,omitempty"`

	// devices are the devices that have a certificate of this identity, or had one that is worth telling of, with
	// privateKey.source: Holder: at most 20, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Devices []Device `json:"devices,omitempty"`

	// invitations are the invitations that were accepted, newest last: none is accepted twice. At most 64; when there are more the
	// ServiceAccount of enrolmentRef is made anew, which ends all open ones.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=64
	Invitations []AcceptedInvitation `json:"invitations,omitempty"`

	// enrolmentRef is the ServiceAccount whose tokens are invitations, with privateKey.source: Holder.
	// +optional
	EnrolmentRef *EnrolmentReference `json:"enrolmentRef,omitempty"`

	// secretRef is the Secret that the credential is published in.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// server is the API server that the published kubeconfig points at.
	// +optional
	Server *ServerStatus `json:"server,omitempty"`

	// lastUsed is when and from where the API server was last called with a certificate of this identity, as its audit events
	// tell. It is up to 66 minutes behind, and not set where nobody used one since the operator has been told of audit events
	// (--audit-webhook-bind-address).
	// +optional
	LastUsed *LastUsed `json:"lastUsed,omitempty"`

	// publishedSince is since when a credential has been published: the first one, or the first one after a withdrawal.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	PublishedSince *metav1.Time `json:"publishedSince,omitempty"`

	// dormantSince is since when nobody has used this identity: set while the condition Dormant is true, and kept where the
	// identity was withdrawn for that.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	DormantSince *metav1.Time `json:"dormantSince,omitempty"`

	// boundBindings is the number of role bindings that are in place.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	BoundBindings int32 `json:"boundBindings,omitempty"`

	// groupList is spec.groups in one line, for kubectl get -o wide.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	GroupList string `json:"groupList,omitempty"`

	// residualAccess is what else grants this user or its groups something, after a withdrawal.
	// +optional
	ResidualAccess *ResidualAccess `json:"residualAccess,omitempty"`

	// revocationReach says of a revocation or a withdrawal how far it reaches: Bindings takes away what the role bindings of
	// this identity grant; with APIServer, the API server denies requests with the certificates as well, which is found out by
	// trying: the conditions RevocationComplete and Withdrawn say with which. It is set where something is revoked or withdrawn.
	// +optional
	RevocationReach RevocationReach `json:"revocationReach,omitempty"`

	// issuance is about the certificate that is being asked for.
	// +optional
	Issuance *IssuanceStatus `json:"issuance,omitempty"`

	// lastHandledRenewRequest is the value of the annotation clientidentity.dev/renew-requested-at that was
	// acted on last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRenewRequest string `json:"lastHandledRenewRequest,omitempty"`
}

// ObservedState says in one word how it stands with an identity.
// +kubebuilder:validation:Enum=Pending;Waiting;Stalled;Ready;AtRisk;Withdrawing;Withdrawn
type ObservedState string

// How it stands with an identity.
const (
	// ObservedPending means that the operator is on its way, mostly for less than a second. It is the state of an identity
	// that no operator has looked at yet.
	ObservedPending ObservedState = "Pending"
	// ObservedWaiting means that the identity is not as asked for until something else happens. A certificate that was
	// published before goes on authenticating.
	ObservedWaiting ObservedState = "Waiting"
	// ObservedStalled means that nothing goes on until a person changes something. A certificate that was published before
	// goes on authenticating.
	ObservedStalled ObservedState = "Stalled"
	// ObservedReady means that all is as asked for.
	ObservedReady ObservedState = "Ready"
	// ObservedAtRisk means that all is as asked for, but something stands in the way of the next certificate, or a device is suspended.
	ObservedAtRisk ObservedState = "AtRisk"
	// ObservedWithdrawing means that access is being taken away, and that role bindings or the Secret still exist.
	ObservedWithdrawing ObservedState = "Withdrawing"
	// ObservedWithdrawn means that the identity has no access: role bindings and Secret are gone.
	ObservedWithdrawn ObservedState = "Withdrawn"
)

// SecretReference refers to the Secret that the credential is published in.
type SecretReference struct {
	// namespace is the namespace of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// name is the name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid is the UID of the Secret: another one of the same name is not trusted.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Type=string
	UID types.UID `json:"uid,omitempty"`

	// resourceVersion is the version of the Secret whose content was checked last.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// ServerStatus is the API server that kubeconfigs point at.
type ServerStatus struct {
	// url is the URL of the API server.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`

	// source says who said so: Spec, Flag, ClusterInfo or OperatorConnection.
	// +required
	Source ServerSource `json:"source"`
}

// ServerSource says where the URL of the API server comes from.
// +kubebuilder:validation:Enum=Spec;Flag;ClusterInfo;OperatorConnection
type ServerSource string

// Where the URL of the API server comes from, in order of precedence.
const (
	// ServerFromSpec means spec.kubeconfig.server.
	ServerFromSpec ServerSource = "Spec"
	// ServerFromFlag means the operator's flag --kubeconfig-server.
	ServerFromFlag ServerSource = "Flag"
	// ServerFromClusterInfo means the ConfigMap kube-public/cluster-info.
	ServerFromClusterInfo ServerSource = "ClusterInfo"
	// ServerFromConnection means the operator's own connection, where it runs outside the cluster.
	ServerFromConnection ServerSource = "OperatorConnection"
)

// IssuanceStatus is about the certificate that is being asked for.
type IssuanceStatus struct {
	// certificateSigningRequest is the name of the request that is open.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	CertificateSigningRequest string `json:"certificateSigningRequest,omitempty"`

	// failedAttempts is how many attempts in a row failed. A change of the spec or a renew request sets it to 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	FailedAttempts int32 `json:"failedAttempts,omitempty"`

	// lastFailureTime is when the last attempt failed.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	LastFailureTime *metav1.Time `json:"lastFailureTime,omitempty"`

	// lastFailureReason is the reason of the last failure, as in the condition CertificateIssued.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastFailureReason string `json:"lastFailureReason,omitempty"`

	// lastFailureMessage says what went wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	LastFailureMessage string `json:"lastFailureMessage,omitempty"`

	// failedGeneration is the generation of the spec that the last attempt was for: a newer one is tried at once.
	// +optional
	FailedGeneration int64 `json:"failedGeneration,omitempty"`

	// failedRenewRequest is the renew request that the last attempt answered: another one is tried at once.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	FailedRenewRequest string `json:"failedRenewRequest,omitempty"`
}

// ResidualAccess lists role bindings of others that grant a withdrawn user or one of its groups something.
type ResidualAccess struct {
	// observedTime is when it was looked up: when the look at all role bindings began.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-03-01T00:00:00Z in the years 1 to 9999"
	ObservedTime *metav1.Time `json:"observedTime,omitempty"`

	// total is how many bindings were found.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Total int32 `json:"total,omitempty"`

	// bindings are the first of them, at most 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Bindings []BindingReference `json:"bindings,omitempty"`
}

// BindingReference refers to a RoleBinding or a ClusterRoleBinding.
type BindingReference struct {
	// kind is RoleBinding or ClusterRoleBinding.
	// +required
	// +kubebuilder:validation:Enum=RoleBinding;ClusterRoleBinding
	Kind string `json:"kind"`

	// namespace is the namespace of a RoleBinding.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the binding.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
