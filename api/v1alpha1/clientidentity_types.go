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
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Cert-Expires",type=string,JSONPath=`.status.certificate.notAfter`
// +kubebuilder:printcolumn:name="Renews",type=string,JSONPath=`.status.certificate.renewalTime`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Groups",type=string,JSONPath=`.status.groupList`,priority=1
// +kubebuilder:printcolumn:name="Access-Until",type=string,JSONPath=`.spec.accessUntil`,priority=1
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.status.certificate.issuer`,priority=1
// +kubebuilder:printcolumn:name="Serial",type=string,JSONPath=`.status.certificate.serialNumber`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters, so that it fits a label"
// +kubebuilder:metadata:annotations={"helm.sh/resource-policy=keep","argocd.argoproj.io/sync-options=Prune=false,Delete=false","kustomize.toolkit.fluxcd.io/prune=disabled"}
type ClientIdentity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the identity that is wanted.
	// +required
	Spec ClientIdentitySpec `json:"spec"`

	// status is what the operator has observed and done.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
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
type ClientIdentitySpec struct {
	// username is the name of the user: the common name (CN) of the certificate. It is immutable and
	// has 1 to 64 characters (RFC 5280, ub-common-name). Names that Kubernetes reserves for its own
	// components are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="is immutable: create another ClientIdentity instead"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{C}\\\\p{Zl}\\\\p{Zp}]') && !self.matches('^[\\\\s\\\\p{Z}]|[\\\\s\\\\p{Z}]$')",message="must not contain control or invisible formatting characters, nor begin or end with a space"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:node:') && !self.startsWith('system:serviceaccount:') && !(self in ['system:anonymous', 'system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy'])",message="is reserved for a component of Kubernetes: choose another one"
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

	// revokeIssuedBefore revokes the certificates issued before this time, such as 2026-11-22T03:04:00Z. Whole seconds
	// count. It may only grow and cannot be removed. With bindTo: Credential the certificates issued before lose every right that the bindings
	// of this identity grant, at once; with bindTo: Username a new certificate is issued, and older ones
	// keep what the user name is granted until they expire.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	// +kubebuilder:validation:XValidation:rule="int(self) >= int(oldSelf)",message="may only grow: older certificates would be valid again"
	RevokeIssuedBefore *metav1.Time `json:"revokeIssuedBefore,omitempty"`
}

// PrivateKey is the kind of key that a certificate is issued for.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || (self.algorithm == 'ECDSA' ? self.size in [256, 384, 521] : self.algorithm == 'RSA' ? self.size in [2048, 3072, 4096] : false)",fieldPath=".size",message="must be 256, 384 or 521 for ECDSA, 2048, 3072 or 4096 for RSA, and not set for Ed25519"
type PrivateKey struct {
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

// RoleBinding is a binding in one namespace, or in every namespace that a selector matches.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespace) != has(self.namespaceSelector)",message="set exactly one of namespace and namespaceSelector"
// +kubebuilder:validation:XValidation:rule="!has(self.validFrom) || !has(self.validUntil) || int(self.validFrom) < int(self.validUntil)",fieldPath=".validUntil",message="must be after validFrom, by a second or more"
type RoleBinding struct {
	// name names the binding within the identity: a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// namespace is the namespace of the binding. Exactly one of namespace and namespaceSelector is set. The operator
	// creates no namespaces: one that is missing is waited for.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// namespaceSelector selects namespaces by their labels, also those that appear later. It must not be
	// empty. It never selects kube-system or a namespace that the operator publishes Secrets in: name
	// those with namespace.
	// +optional
	NamespaceSelector *NamespaceSelector `json:"namespaceSelector,omitempty"`

	// roleRef is the Role or ClusterRole that is granted.
	// +required
	RoleRef RoleRef `json:"roleRef"`

	// group binds this group, one of spec.groups, instead of the user. It cannot be used with bindTo: Credential.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Group string `json:"group,omitempty"`

	BindingWindow `json:",inline"`
}

// ClusterRoleBinding is a cluster-wide binding.
//
// +kubebuilder:validation:XValidation:rule="!has(self.validFrom) || !has(self.validUntil) || int(self.validFrom) < int(self.validUntil)",fieldPath=".validUntil",message="must be after validFrom, by a second or more"
type ClusterRoleBinding struct {
	// name names the binding within the identity: a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// roleRef is the ClusterRole that is granted.
	// +required
	RoleRef ClusterRoleRef `json:"roleRef"`

	// group binds this group, one of spec.groups, instead of the user. It cannot be used with bindTo: Credential.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Group string `json:"group,omitempty"`

	BindingWindow `json:",inline"`
}

// BindingWindow is the time in which a binding exists.
type BindingWindow struct {
	// validFrom is when the binding begins to exist, a time such as 2026-12-01T08:00:00Z. Without it, it exists from
	// the start.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	ValidFrom *metav1.Time `json:"validFrom,omitempty"`

	// validUntil is when the binding ends, a time such as 2026-12-01T18:00:00Z that is after validFrom by a second or
	// more. Without it, it has no end.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time such as 2027-01-01T00:00:00Z, with capital T and Z, in the years 1970 to 9999"
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
}

// RoleRef refers to a Role in the namespace of the binding, or to a ClusterRole.
type RoleRef struct {
	// kind is Role or ClusterRole.
	// +required
	// +kubebuilder:validation:Enum=Role;ClusterRole
	Kind string `json:"kind"`

	// name is the name of the role, which need not exist yet.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && !self.contains('%') && self != '.' && self != '..'",message="must be the name of a role: it cannot be . or .. nor contain / or %"
	Name string `json:"name"`
}

// ClusterRoleRef refers to a ClusterRole.
type ClusterRoleRef struct {
	// name is the name of the ClusterRole, which need not exist yet.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && !self.contains('%') && self != '.' && self != '..'",message="must be the name of a ClusterRole: it cannot be . or .. nor contain / or %"
	Name string `json:"name"`
}

// NamespaceSelector selects namespaces by their labels, with the meaning of a metav1.LabelSelector.
//
// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="must not be empty: an empty selector would match every namespace"
type NamespaceSelector struct {
	// matchLabels are labels that a namespace must have. At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="keys must be label names, such as team or example.com/team"
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	// matchExpressions are requirements that a namespace's labels must meet. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MatchExpressions []NamespaceSelectorRequirement `json:"matchExpressions,omitempty"`
}

// NamespaceSelectorRequirement is a requirement that the labels of a namespace must meet.
//
// +kubebuilder:validation:XValidation:rule="self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : !has(self.values) || self.values.size() == 0",message="values must be set for In and NotIn, and not set for Exists and DoesNotExist"
type NamespaceSelectorRequirement struct {
	// key is the name of the label, such as team or example.com/team.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="!format.qualifiedName().validate(self).hasValue()",message="must be the name of a label, such as team or example.com/team"
	Key string `json:"key"`

	// operator is In, NotIn, Exists or DoesNotExist.
	// +required
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	Operator string `json:"operator"`

	// values are the values for In and NotIn, at least one and at most 32. Exists and DoesNotExist have none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Values []LabelValue `json:"values,omitempty"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// SecretTemplate says where a credential is published, and how the Secret is marked.
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
