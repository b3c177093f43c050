// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
