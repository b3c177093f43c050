// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 contains the ClientIdentity API: one object that names a Kubernetes user,
// its groups, the lifetime of its client certificate and the role bindings it is granted.
//
// +kubebuilder:object:generate=true
// +groupName=clientidentity.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the types in this package.
	GroupVersion = schema.GroupVersion{Group: "clientidentity.dev", Version: "v1alpha1"}

	// SchemeBuilder registers the types of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(func(scheme *runtime.Scheme) error {
		scheme.AddKnownTypes(GroupVersion, &ClientIdentity{}, &ClientIdentityList{})
		metav1.AddToGroupVersion(scheme, GroupVersion)
		return nil
	})

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)
