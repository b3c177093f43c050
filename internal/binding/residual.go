// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

const (
	// maxResidual bounds the bindings named in the status.
	maxResidual = 20
	// pageSize is how many objects are read at a time.
	pageSize = 500
)

// ResidualAccess looks up what bindings still grant a holder something, live and page by page: watching all RBAC of a
// cluster for this would cost far more than it is worth.
func (w *Writer) ResidualAccess(ctx context.Context, who access.Holder, now time.Time) (*v1alpha1.ResidualAccess, error) {
	found := &v1alpha1.ResidualAccess{ObservedTime: &metav1.Time{Time: now}}
	note := func(kind string, object metav1.Object, subjects []rbacv1.Subject) {
		if !who.Among(subjects) {
			return
		}
		found.Total++
		if len(found.Bindings) < maxResidual {
			found.Bindings = append(found.Bindings, v1alpha1.BindingReference{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()})
		}
	}
	clusterRoleBindings := &rbacv1.ClusterRoleBindingList{}
	if err := w.eachPage(ctx, clusterRoleBindings, func() {
		for i := range clusterRoleBindings.Items {
			note("ClusterRoleBinding", &clusterRoleBindings.Items[i], clusterRoleBindings.Items[i].Subjects)
		}
	}); err != nil {
		return nil, err
	}
	roleBindings := &rbacv1.RoleBindingList{}
	if err := w.eachPage(ctx, roleBindings, func() {
		for i := range roleBindings.Items {
			note("RoleBinding", &roleBindings.Items[i], roleBindings.Items[i].Subjects)
		}
	}); err != nil {
		return nil, err
	}
	return found, nil
}

// eachPage lists live and calls visit for each page in list.
func (w *Writer) eachPage(ctx context.Context, list client.ObjectList, visit func()) error {
	for token := ""; ; {
		if err := w.Live.List(ctx, list, client.Limit(pageSize), client.Continue(token)); err != nil {
			return fmt.Errorf("look for role bindings of others (%T): %w", list, err)
		}
		visit()
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}
