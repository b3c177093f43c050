// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package property

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// describe tells what is known of an identity and of the bindings that name a copy, for whoever reads of a violation.
func (s *slot) describe(ctx context.Context, copies []*kept) string {
	var lines []string
	identity := &v1alpha1.ClientIdentity{}
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, identity); err == nil {
		lines = append(lines, fmt.Sprintf("now %s, completed %v; %s", time.Now().UTC().Format(time.RFC3339Nano), identity.Status.CompletedRevocation, conditions(identity)))
	}
	names := []string{identity.Spec.Username}
	for _, c := range copies {
		names = append(names, c.Groups...)
	}
	tell := func(meta metav1.ObjectMeta, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if !slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool { return slices.Contains(names, s.Name) }) {
			return
		}
		var written []string
		for _, m := range meta.ManagedFields {
			written = append(written, fmt.Sprintf("%s %s %s", m.Manager, m.Operation, m.Time.UTC().Format(time.RFC3339)))
		}
		lines = append(lines, fmt.Sprintf("binding %s/%s to %s %s: labels %v, subjects %v, created %s, deleted %v, finalizers %v, owners %d, written %v",
			meta.Namespace, meta.Name, role.Kind, role.Name, meta.Labels, subjects, meta.CreationTimestamp.UTC().Format(time.RFC3339), meta.DeletionTimestamp,
			meta.Finalizers, len(meta.OwnerReferences), written))
	}
	var roleBindings rbacv1.RoleBindingList
	if err := s.admin.List(ctx, &roleBindings); err == nil {
		for _, b := range roleBindings.Items {
			tell(b.ObjectMeta, b.RoleRef, b.Subjects)
		}
	}
	var clusterRoleBindings rbacv1.ClusterRoleBindingList
	if err := s.admin.List(ctx, &clusterRoleBindings); err == nil {
		for _, b := range clusterRoleBindings.Items {
			tell(b.ObjectMeta, b.RoleRef, b.Subjects)
		}
	}
	return strings.Join(lines, "\n  ")
}
