// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// pageSize is how many objects are read at a time, by one at a time: each may have a megabyte and a half, whoever
	// wrote it, and takes several times as much while it is decoded.
	pageSize = 8
	// largePage is how many are read at a time where all of them are as small as bindings mostly are.
	largePage = 64
)

// readAll reads all bindings of the cluster, cluster-wide ones first, and visits each. What is visited is valid during the visit.
func (w *Writer) readAll(ctx context.Context, visit func(client.Object)) error {
	clusterRoleBindings := &rbacv1.ClusterRoleBindingList{}
	if err := w.eachPage(ctx, clusterRoleBindings, func() {
		for i := range clusterRoleBindings.Items {
			visit(&clusterRoleBindings.Items[i])
		}
	}); err != nil {
		return err
	}
	roleBindings := &rbacv1.RoleBindingList{}
	return w.eachPage(ctx, roleBindings, func() {
		for i := range roleBindings.Items {
			visit(&roleBindings.Items[i])
		}
	})
}

// eachPage lists live and calls visit for each page in list: for large pages first and, from the first one on that is not small,
// for others.
func (w *Writer) eachPage(ctx context.Context, list client.ObjectList, visit func()) error {
	for token, small := "", w.Small != nil; ; {
		// Whatever kept a large page from being read is told by the one that is read instead.
		small = small && w.Small.List(ctx, list, client.Limit(largePage), client.Continue(token)) == nil
		if !small {
			if err := w.Live.List(ctx, list, client.Limit(pageSize), client.Continue(token)); err != nil {
				return fmt.Errorf("look for role bindings (%T): %w", list, err)
			}
		}
		visit()
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}
