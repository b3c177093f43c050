// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/text"
)

// slimIdentity drops what the operator does not look at of an identity: who applies one leaves a copy of it in an annotation. And it shares
// what the identities of a cluster mostly have alike: of ten thousand, each word was there ten thousand times.
func slimIdentity(in any) (any, error) {
	identity, ok := in.(*v1alpha1.ClientIdentity)
	if !ok {
		return in, nil
	}
	identity.SetManagedFields(nil)
	var kept map[string]string
	if value, asked := identity.Annotations[v1alpha1.RenewRequestedAtAnnotation]; asked {
		kept = map[string]string{v1alpha1.RenewRequestedAtAnnotation: value}
	}
	identity.SetAnnotations(kept)
	share(&identity.Kind, &identity.APIVersion)
	// Whoever decodes a list leaves room for four of everything.
	fit(&identity.Spec.Groups)
	fit(&identity.Spec.RoleBindings)
	fit(&identity.Spec.ClusterRoleBindings)
	fit(&identity.Status.Conditions)
	fit(&identity.Status.Certificates)
	shareSpec(&identity.Spec)
	shareStatus(&identity.Status)
	return identity, nil
}

func shareSpec(spec *v1alpha1.ClientIdentitySpec) {
	shareAll(spec.Groups)
	share(&spec.SignerName, &spec.Secret.Namespace, &spec.Secret.KubeconfigKey)
	share(&spec.BindTo)
	share(&spec.State)
	share(&spec.WhenDormant)
	share(&spec.Secret.Format)
	share(&spec.PrivateKey.Source)
	share(&spec.PrivateKey.Algorithm)
	share(&spec.PrivateKey.RotationPolicy)
	for i := range spec.RoleBindings {
		b := &spec.RoleBindings[i]
		share(&b.Name, &b.Namespace, &b.Group, &b.RoleRef.Kind, &b.RoleRef.Name)
	}
	for i := range spec.ClusterRoleBindings {
		b := &spec.ClusterRoleBindings[i]
		share(&b.Name, &b.Group, &b.RoleRef.Name)
	}
}

func shareStatus(status *v1alpha1.ClientIdentityStatus) {
	share(&status.State)
	share(&status.StateReason, &status.GroupList)
	share(&status.RevocationReach)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		share(&c.Type, &c.Reason)
		share(&c.Status)
		if c.Type != v1alpha1.ConditionCertificateIssued { // it names a moment
			share(&c.Message)
		}
	}
	if c := status.Certificate; c != nil {
		share(&c.Issuer, &c.AuthorityKeyID)
	}
	for i := range status.Certificates {
		c := &status.Certificates[i]
		share(&c.Issuer)
		fit(&c.Groups)
		shareAll(c.Groups)
		if published := status.Certificate; published != nil && published.Fingerprint == c.Fingerprint {
			c.Fingerprint, c.SerialNumber = published.Fingerprint, published.SerialNumber
		}
	}
	if server := status.Server; server != nil {
		share(&server.URL)
		share(&server.Source)
	}
	if ref := status.SecretRef; ref != nil {
		share(&ref.Namespace)
	}
}

// fit leaves a slice no more memory than it needs.
func fit[S ~[]E, E any](all *S) {
	if cap(*all) > len(*all) {
		*all = append(make(S, 0, len(*all)), *all...)
	}
}

func share[T ~string](texts ...*T) {
	for _, t := range texts {
		*t = text.Shared(*t)
	}
}

func shareAll[T ~string](texts []T) {
	for i := range texts {
		share(&texts[i])
	}
}
