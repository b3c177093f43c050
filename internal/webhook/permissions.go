// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package webhook is the admission webhook: it lets nobody ask for an identity that gives more than they hold. What a
// requester must be allowed to do, which changes need nothing, and what a refusal says is pure (permissions.go,
// narrowing.go, message.go, warnings.go); handler.go asks the API server; server.go serves, with certificates.go's certificate.
package webhook

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/review"
)

// maxPermissions is what the largest identity that the schema allows needs: a user and 32 groups, two for each of
// 128 bindings, two for the Secret, and one for the ServiceAccount.
const maxPermissions = 1 + 32 + 2*(64+64) + 2 + 1

// Permission is something that the requester must be allowed to do.
type Permission = review.Permission

// Required returns what somebody must be allowed to do to ask for the identity, without doubles and in order. A
// certificate for a user in groups is as good as impersonating them, a binding as good as making it oneself, and
// a Secret as good as writing it oneself. Only the Secret that every identity has, in the operator's own namespace under the
// identity's name and with nothing added, needs no right to write Secrets.
func Required(identity *v1alpha1.ClientIdentity, defaultSecretNamespace string) []Permission {
	spec := &identity.Spec
	permissions := review.Impersonation(spec)
	for i := range spec.ClusterRoleBindings {
		role := v1alpha1.RoleRef{Kind: "ClusterRole", Name: spec.ClusterRoleBindings[i].RoleRef.Name}
		permissions = append(permissions, binding("clusterrolebindings", "", role)...)
	}
	for i := range spec.RoleBindings {
		// With a selector, the namespace is empty: whoever sets a label on a namespace decides where the binding
		// comes to be, so it takes the right to bind everywhere.
		permissions = append(permissions, binding("rolebindings", spec.RoleBindings[i].Namespace, spec.RoleBindings[i].RoleRef)...)
	}
	permissions = append(permissions, secret(identity, defaultSecretNamespace)...)
	if namespace := spec.Secret.Namespace; spec.PrivateKey.Source == v1alpha1.SourceHolder && namespace != "" && namespace != defaultSecretNamespace {
		// That of invitations stands beside the Secret.
		permissions = append(permissions, Permission{Verb: "create", Resource: "serviceaccounts", Namespace: namespace})
	}
	slices.SortFunc(permissions, Permission.Compare)
	return slices.Compact(permissions)
}

// binding returns what a binding takes. To bind alone is too weak: somebody may have that right in the whole cluster,
// and the right to make bindings in one namespace only.
func binding(resource, namespace string, role v1alpha1.RoleRef) []Permission {
	roles := "clusterroles"
	if role.Kind == "Role" {
		roles = "roles"
	}
	return []Permission{
		{Verb: "bind", APIGroup: rbacv1.GroupName, Resource: roles, Namespace: namespace, Name: role.Name},
		{Verb: "create", APIGroup: rbacv1.GroupName, Resource: resource, Namespace: namespace},
	}
}

// secret returns what a Secret takes that is not where, or not as, every identity has one. Labels, annotations and a format
// can give a Secret a meaning to other tools, such as copying it elsewhere, or deploying with it.
func secret(identity *v1alpha1.ClientIdentity, defaultNamespace string) []Permission {
	wanted := &identity.Spec.Secret
	defaultName := identity.Name + "-kubeconfig"
	namespace, name := cmp.Or(wanted.Namespace, defaultNamespace), cmp.Or(wanted.Name, defaultName)
	plain := len(wanted.Labels) == 0 && len(wanted.Annotations) == 0 && (wanted.Format == "" || wanted.Format == v1alpha1.FormatKubeconfig)
	if namespace == defaultNamespace && name == defaultName && plain {
		return nil
	}
	return []Permission{
		// Not with its name: a rule cannot limit create to a name, yet a review that has one may say yes.
		{Verb: "create", Resource: "secrets", Namespace: namespace},
		{Verb: "update", Resource: "secrets", Namespace: namespace, Name: name},
	}
}
