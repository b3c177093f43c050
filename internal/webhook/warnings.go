// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// longTTL is how long a certificate should live at most.
const longTTL = 90 * 24 * time.Hour

// Warnings returns what is allowed and yet unwise.
func Warnings(spec *v1alpha1.ClientIdentitySpec) admission.Warnings {
	var warnings admission.Warnings
	if spec.TTL.Duration > longTTL && spec.BindTo != v1alpha1.BindToCredential {
		warnings = append(warnings, "spec.ttl is over 90 days (2160h): a leaked certificate cannot be revoked while it lasts, "+
			"except with bindTo: Credential")
	} else if spec.TTL.Duration > longTTL {
		warnings = append(warnings, "spec.ttl is over 90 days (2160h): renewal is automatic, so a shorter one costs nothing")
	}
	const admin = "cluster-admin"
	for _, b := range spec.ClusterRoleBindings {
		if b.RoleRef.Name == admin {
			warnings = append(warnings, fmt.Sprintf("spec.clusterRoleBindings[%s] gives every right in the cluster: prefer a role with what is needed", b.Name))
		}
	}
	for _, b := range spec.RoleBindings {
		if b.RoleRef.Kind == "ClusterRole" && b.RoleRef.Name == admin {
			warnings = append(warnings, fmt.Sprintf("spec.roleBindings[%s] gives every right in its namespace: prefer admin, edit or view", b.Name))
		}
	}
	switch namespace := spec.Secret.Namespace; namespace {
	case metav1.NamespaceDefault, metav1.NamespaceSystem:
		warnings = append(warnings, fmt.Sprintf("spec.secret.namespace is %s, where many can read Secrets: prefer a namespace of its own", namespace))
	}
	return warnings
}
