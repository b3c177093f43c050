// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClientIdentity is a Kubernetes user that authenticates with an X.509 client certificate. For each
// one the operator keeps a valid certificate, a Secret with a working kubeconfig, and exactly the
// role bindings that the spec asks for.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cid,categories=clientidentity
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Cert-Expires",type=string,JSONPath=`.status.certificate.notAfter`
// +kubebuilder:printcolumn:name="Renews",type=string,JSONPath=`.status.certificate.renewalTime`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Groups",type=string,JSONPath=`.status.groupList`,priority=1
// +kubebuilder:printcolumn:name="Access-Until",type=string,JSONPath=`.spec.accessUntil`,priority=1
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.status.certificate.issuer`,priority=1
// +kubebuilder:printcolumn:name="Serial",type=string,JSONPath=`.status.certificate.serialNumber`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.stateReason`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters, so that it fits a label"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.revokeIssuedBefore) || !has(self.spec.revokeIssuedBefore) || int(self.spec.revokeIssuedBefore) >= int(oldSelf.spec.revokeIssuedBefore) || (has(oldSelf.status) && has(oldSelf.status.certificate) && has(oldSelf.status.certificate.requestTime) && int(self.spec.revokeIssuedBefore) > int(oldSelf.status.certificate.requestTime))",fieldPath=".spec.revokeIssuedBefore",message="may only grow: older certificates would be valid again"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.revokeIssuedBefore) || (has(oldSelf.spec.revokeIssuedBefore) && int(self.spec.revokeIssuedBefore) == int(oldSelf.spec.revokeIssuedBefore)) || !has(oldSelf.status) || !has(oldSelf.status.certificates) || !oldSelf.status.certificates.exists(c, has(c.revokeIssuedBefore) && int(c.revokeIssuedBefore) == int(self.spec.revokeIssuedBefore))",fieldPath=".spec.revokeIssuedBefore",message="is the time of an earlier revocation: certificates issued after it would be valid again; use the current time"
// +kubebuilder:metadata:annotations={"helm.sh/resource-policy=keep","argocd.argoproj.io/sync-options=Prune=false,Delete=false","kustomize.toolkit.fluxcd.io/prune=disabled"}
type ClientIdentity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the identity that is wanted.
	// +required
	Spec ClientIdentitySpec `json:"spec"`

	// status is what the operator has observed and done.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1,"state":"Pending"}
	Status ClientIdentityStatus `json:"status,omitempty,omitzero"`
}

// ClientIdentityList is a list of ClientIdentities.
//
// +kubebuilder:object:root=true
type ClientIdentityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClientIdentity `json:"items"`
}

// ClientIdentitySpec is the identity that is wanted.
//
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || !has(self.renewBeforePercentage)",fieldPath=".renewBeforePercentage",message="set renewBefore or renewBeforePercentage, not both"
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || !self.renewBefore.matches('^([0-9]{1,6}(\\\\.[0-9]+)?h|[0-9]{1,8}(\\\\.[0-9]+)?m|[0-9]{1,10}(\\\\.[0-9]+)?s)+$') || !self.ttl.matches('^([0-9]{1,6}(\\\\.[0-9]+)?h|[0-9]{1,8}(\\\\.[0-9]+)?m|[0-9]{1,10}(\\\\.[0-9]+)?s)+$') || duration(self.renewBefore) < duration(self.ttl)",fieldPath=".renewBefore",message="must be shorter than ttl"
// +kubebuilder:validation:XValidation:rule="!has(self.roleBindings) || self.roleBindings.all(b, !has(b.group) || (has(self.groups) && b.group in self.groups))",fieldPath=".roleBindings",message="the group of a binding must be one of spec.groups"
// +kubebuilder:validation:XValidation:rule="!has(self.clusterRoleBindings) || self.clusterRoleBindings.all(b, !has(b.group) || (has(self.groups) && b.group in self.groups))",fieldPath=".clusterRoleBindings",message="the group of a binding must be one of spec.groups"
// +kubebuilder:validation:XValidation:rule="self.bindTo != 'Credential' || ((!has(self.roleBindings) || self.roleBindings.all(b, !has(b.group))) && (!has(self.clusterRoleBindings) || self.clusterRoleBindings.all(b, !has(b.group))))",fieldPath=".bindTo",message="cannot be Credential while a binding has a group: remove group from the binding, or set bindTo to Username"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.revokeIssuedBefore) || has(self.revokeIssuedBefore)",fieldPath=".revokeIssuedBefore",message="cannot be removed once it is set: older certificates would be valid again"
// +kubebuilder:validation:XValidation:rule="!has(self.secret.holderCanRead) || !self.secret.holderCanRead || self.bindTo == 'Credential'",fieldPath=".secret.holderCanRead",message="requires bindTo: Credential, so that a revoked copy cannot fetch the next kubeconfig"
// +kubebuilder:validation:XValidation:rule="!has(self.maxDevices) || (has(self.privateKey.source) && self.privateKey.source == 'Holder')",fieldPath=".maxDevices",message="is for keys that holders make: set privateKey.source to Holder, or remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.privateKey.source) || self.privateKey.source != 'Holder' || !has(self.secret.format) || self.secret.format == 'Kubeconfig'",fieldPath=".secret.format",message="must be Kubeconfig with privateKey.source: Holder: the other formats are for tools that read the key from the Secret"
// +kubebuilder:validation:XValidation:rule="!has(self.privateKey.source) || self.privateKey.source != 'Holder' || self.secret.kubeconfigKey != 'request.json'",fieldPath=".secret.kubeconfigKey",message="must not be request.json with privateKey.source: Holder, which has a key of that name in the Secret"
// +kubebuilder:validation:XValidation:rule="!has(self.privateKey.source) || self.privateKey.source != 'Holder' || self.privateKey.rotationPolicy != 'Never'",fieldPath=".privateKey.rotationPolicy",message="must not be Never with privateKey.source: Holder: holders make a new key for each certificate"
type ClientIdentitySpec struct {
	// username is the name of the user: the common name (CN) of the certificate. It is immutable and
	// has 1 to 64 characters (RFC 5280, ub-common-name). Names that Kubernetes reserves for its own
	// components are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="is immutable: create another ClientIdentity instead"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]') && !self.matches('^[\\\\s\\\\p{Z}]|[\\\\s\\\\p{Z}]$')",message="must not contain control or invisible formatting characters, nor begin or end with a space"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:node:') && !self.startsWith('system:serviceaccount:') && !(self in ['system:anonymous', 'system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy', 'kube-apiserver-kubelet-client', 'apiserver-kubelet-client'])",message="is reserved for a component of Kubernetes: choose another one"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('clientidentity.dev:')",message="must not begin with clientidentity.dev:, which is reserved for the operator"
	Username string `json:"username"`

	// groups are the groups of the user: the organizations (O) of the certificate. A set of at most 32
	// groups of 1 to 64 characters each. Changing it issues a new certificate; certificates issued
	// earlier keep their groups until they expire. Groups that Kubernetes reserves are refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]') && !self.matches('^[\\\\s\\\\p{Z}]|[\\\\s\\\\p{Z}]$')",message="must not contain control or invisible formatting characters, nor begin or end with a space"
	// +kubebuilder:validation:items:XValidation:rule="!(self in ['system:masters', 'system:nodes', 'system:authenticated', 'system:unauthenticated', 'kubeadm:cluster-admins']) && !self.startsWith('system:bootstrappers') && !self.startsWith('system:serviceaccounts')",message="is reserved by Kubernetes and cannot be given to a client identity: use a group of your own and bind roles to it"
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('clientidentity.dev:')",message="must not begin with clientidentity.dev:, which is reserved for the operator"
	Groups []string `json:"groups,omitempty"`

	// ttl is the lifetime asked of the signer, as a Go duration of hours, minutes and seconds: at least
	// 10m, at most 2147483647s. It defaults to 2160h (90 days). A signer may issue a shorter
	// lifetime; status.certificate shows the one that was issued.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(\\\\.[0-9]+)?(h|m|s))+$')",message="must be a duration in hours, minutes and seconds such as 2160h or 1h30m: there is no unit for days, so 90d is written 2160h"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+(\\\\.[0-9]+)?(h|m|s))+$') || (self.matches('^([0-9]{1,6}(\\\\.[0-9]+)?h|[0-9]{1,8}(\\\\.[0-9]+)?m|[0-9]{1,10}(\\\\.[0-9]+)?s)+$') && duration(self) >= duration('10m') && duration(self) <= duration('2147483647s'))",message="must be at least 10m (the shortest lifetime that Kubernetes signs) and at most 2147483647s"
	TTL metav1.Duration `json:"ttl,omitempty,omitzero"`

	// renewBefore is how long before its end a certificate is renewed, as a Go duration of hours,
	// minutes and seconds: at least 1s, and shorter than ttl. Without renewBefore and
	// renewBeforePercentage, or where it does not fit the lifetime really issued, a certificate is
	// renewed when a third of its lifetime is left.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(\\\\.[0-9]+)?(h|m|s))+$')",message="must be a duration in hours, minutes and seconds such as 720h or 1h30m: there is no unit for days, so 30d is written 720h"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+(\\\\.[0-9]+)?(h|m|s))+$') || (self.matches('^([0-9]{1,6}(\\\\.[0-9]+)?h|[0-9]{1,8}(\\\\.[0-9]+)?m|[0-9]{1,10}(\\\\.[0-9]+)?s)+$') && duration(self) >= duration('1s') && duration(self) <= duration('2147483647s'))",message="must be at least 1s and at most 2147483647s"
	RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`

	// renewBeforePercentage is the part of the lifetime really issued, in percent, that is left when a
	// certificate is renewed: 33 renews when a third is left. 1 to 90; by default a third of the lifetime.
	// It cannot be set together with renewBefore.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=90
	RenewBeforePercentage *int32 `json:"renewBeforePercentage,omitempty"`

	// privateKey says which kind of private key the certificate is issued for: ECDSA of 256 bits by default.
	// Changing it issues a new certificate.
	// +optional
	// +kubebuilder:default={}
	PrivateKey PrivateKey `json:"privateKey,omitempty,omitzero"`

	// maxDevices is on how many devices the holder may have a valid certificate at a time, with privateKey.source: Holder: 1 to 10,
	// 5 by default.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	MaxDevices *int32 `json:"maxDevices,omitempty"`

	// signerName is the signer that is asked, as in the signerName of a CertificateSigningRequest: a domain, a
	// slash and a name in lower case. It defaults to kubernetes.io/kube-apiserver-client. The operator must be
	// allowed to approve requests for it, and the API server must trust its CA. Changing it issues a new certificate.
	// +optional
	// +kubebuilder:default="kubernetes.io/kube-apiserver-client"
	// +kubebuilder:validation:MaxLength=571
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+/[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$') && self.indexOf('/') <= 253 && self.size() - self.indexOf('/') <= 318",message="must be a domain of two or more labels, a slash and a name in lower case, such as kubernetes.io/kube-apiserver-client"
	// +kubebuilder:validation:XValidation:rule="!(self in ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving', 'kubernetes.io/legacy-unknown'])",message="this signer signs no client certificates for users: use kubernetes.io/kube-apiserver-client or a signer of your own"
	SignerName string `json:"signerName,omitempty"`

	// bindTo says what the role bindings name: Username (the default) is the user; Credential is a group
	// of the operator that every certificate of this identity carries and that changes whenever
	// revokeIssuedBefore is raised, so that certificates issued earlier lose what the bindings grant.
	// +optional
	// +kubebuilder:default=Username
	BindTo BindTo `json:"bindTo,omitempty"`

	// roleBindings are the bindings in namespaces: at most 64, each with a name of its own. None by default. The
	// bindings are kept exactly so: one that is removed here is removed from the cluster.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	RoleBindings []RoleBinding `json:"roleBindings,omitempty"`

	// clusterRoleBindings are the cluster-wide bindings: at most 64, each with a name of its own. None by default. The
	// bindings are kept exactly so: one that is removed here is removed from the cluster.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	ClusterRoleBindings []ClusterRoleBinding `json:"clusterRoleBindings,omitempty"`

	// secret says where the credential is published: by default in the Secret <name of the identity>-kubeconfig in
	// the operator's --default-secret-namespace.
	// +optional
	// +kubebuilder:default={}
	Secret SecretTemplate `json:"secret,omitempty,omitzero"`

	// kubeconfig overrides what the published kubeconfig says of the cluster. Changing it issues no new certificate.
	// +optional
	Kubeconfig KubeconfigTemplate `json:"kubeconfig,omitempty,omitzero"`

	// state is Active (the default) or Withdrawn: a withdrawn identity has no bindings and no Secret, and
	// nothing is issued for it. Activating it again issues a new certificate with a new key.
	// +optional
	// +kubebuilder:default=Active
	State State `json:"state,omitempty"`

	// accessUntil is a hard end, a time such as 2027-01-01T00:00:00Z: no published certificate outlives it, and when
	// it has come the identity is withdrawn. Nothing is requested in its last ten minutes, the shortest lifetime
	// that Kubernetes signs. Without it, access has no end.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	AccessUntil *metav1.Time `json:"accessUntil,omitempty"`

	// whenDormant is Report (the default) or Withdraw: what becomes of an identity that nobody uses for the operator's
	// --dormant-after. Report tells of it, by the condition Dormant. Withdraw takes the access away like accessUntil, and
	// for good: the identity is active again, with a new key, once this is Report or removed.
	// +optional
	WhenDormant WhenDormant `json:"whenDormant,omitempty"`

	// revokeIssuedBefore revokes the certificates issued before this time, such as 2026-11-22T03:04:00Z. Whole seconds
	// count. It is the current time when it is set: one that is more than a minute ahead is refused. It may only grow and cannot be removed,
	// but for one that is in the future all the same: the current time may follow it. With bindTo: Credential the
	// certificates issued before lose every right that the bindings of this identity grant, at once; with bindTo:
	// Username a new certificate is issued, and older ones keep what the user name is granted until they expire.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`

	// revokedCertificates are single certificates of this user that are revoked: at most 64, each by its fingerprint. Where
	// the API server asks the operator (docs/guides/deny.md) it denies requests with them, for as long as they stand here;
	// elsewhere this ends nothing, and the condition RevocationComplete says so. Where one is published, a new one with a new
	// key replaces it. With privateKey.rotationPolicy: Never other certificates may have the same key: revokeIssuedBefore is
	// for that.
	// +optional
	// +listType=map
	// +listMapKey=fingerprint
	// +kubebuilder:validation:MaxItems=64
	RevokedCertificates []RevokedCertificate `json:"revokedCertificates,omitempty"`
}

// PrivateKey is the kind of key that a certificate is issued for.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || (self.algorithm == 'ECDSA' ? self.size in [256, 384, 521] : self.algorithm == 'RSA' ? self.size in [2048, 3072, 4096] : false)",fieldPath=".size",message="must be 256, 384 or 521 for ECDSA, 2048, 3072 or 4096 for RSA, and not set for Ed25519"
type PrivateKey struct {
	// source says who makes the key: Operator (the default) makes it and publishes it in the Secret; with Holder whoever uses
	// the identity makes one on each device, where it stays, and asks for the certificate (kubectl clientidentity enroll): the
	// Secret has a kubeconfig without a key then. Changing it to Holder removes the key from the Secret, and revokes nothing.
	// +optional
	Source KeySource `json:"source,omitempty"`

	// algorithm is ECDSA (the default), RSA or Ed25519.
	// +optional
	// +kubebuilder:default=ECDSA
	Algorithm KeyAlgorithm `json:"algorithm,omitempty"`

	// size is the size of the key in bits: 256 (the default), 384 or 521 for ECDSA; 2048 (the default), 3072
	// or 4096 for RSA. Ed25519 has no size.
	// +optional
	Size int32 `json:"size,omitempty"`

	// rotationPolicy is Always (the default), a new key with every certificate, or Never, the same key as
	// long as it is known to be ours. A revocation always makes a new key.
	// +optional
	// +kubebuilder:default=Always
	RotationPolicy RotationPolicy `json:"rotationPolicy,omitempty"`
}

// KeySource says who makes private keys.
// +kubebuilder:validation:Enum=Operator;Holder
type KeySource string

// Who makes private keys.
const (
	// SourceOperator means that the operator makes the key and publishes it together with its certificate.
	SourceOperator KeySource = "Operator"
	// SourceHolder means that the holder makes a key on each device, and that the operator never has one.
	SourceHolder KeySource = "Holder"
)

// KeyAlgorithm is the algorithm of a private key.
// +kubebuilder:validation:Enum=ECDSA;RSA;Ed25519
type KeyAlgorithm string

// The algorithms of private keys.
const (
	// ECDSA keys are small and fast.
	ECDSA KeyAlgorithm = "ECDSA"
	// RSA keys are understood by the oldest clients.
	RSA KeyAlgorithm = "RSA"
	// Ed25519 keys are small and fast; some older clients do not know them.
	Ed25519 KeyAlgorithm = "Ed25519"
)

// RotationPolicy says when a private key is replaced.
// +kubebuilder:validation:Enum=Always;Never
type RotationPolicy string

// The rotation policies of private keys.
const (
	// RotationAlways makes a new key with every certificate.
	RotationAlways RotationPolicy = "Always"
	// RotationNever uses the same key again as long as it is known to be ours.
	RotationNever RotationPolicy = "Never"
)

// BindTo says what role bindings name as their subject.
// +kubebuilder:validation:Enum=Username;Credential
type BindTo string

// What role bindings name.
const (
	// BindToUsername binds the user: whoever authenticates under this name has the rights.
	BindToUsername BindTo = "Username"
	// BindToCredential binds the certificates issued since revokeIssuedBefore.
	BindToCredential BindTo = "Credential"
)

// WhenDormant says what becomes of an identity that nobody uses.
// +kubebuilder:validation:Enum=Report;Withdraw
type WhenDormant string

// What becomes of an identity that nobody uses. There is no default in the schema: an operator of an earlier version, which
// works on for a moment when the CRD is updated, refuses a field that it does not know.
const (
	// ReportDormant tells of it.
	ReportDormant WhenDormant = "Report"
	// WithdrawDormant takes the access away.
	WithdrawDormant WhenDormant = "Withdraw"
)

// State says whether an identity has access.
// +kubebuilder:validation:Enum=Active;Withdrawn
type State string

// The states of an identity.
const (
	// StateActive keeps certificate, Secret and bindings in place.
	StateActive State = "Active"
	// StateWithdrawn removes Secret and bindings and issues nothing.
	StateWithdrawn State = "Withdrawn"
)
