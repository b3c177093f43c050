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
	// pageSize is how many objects are read at a time, by one at a time: each may have a megabyte and a half, whoever
	// wrote it, and takes several times as much while it is decoded.
	pageSize = 8
	// largePage is how many are read at a time where all of them are as small as bindings mostly are.
	largePage = 64
)

// ResidualAccess looks up what bindings of others still grant a holder something, live and page by page: watching all RBAC of a
// cluster for this would cost far more than it is worth. It says whether a binding of the identity itself is left, too.
func (w *Writer) ResidualAccess(
	ctx context.Context, identity *v1alpha1.ClientIdentity, who access.Holder, now time.Time,
) (residual *v1alpha1.ResidualAccess, ours bool, err error) {
	found := &v1alpha1.ResidualAccess{ObservedTime: &metav1.Time{Time: now}}
	err = w.eachBinding(ctx, func(object client.Object) {
		have := asObserved(object, identity)
		switch {
		case have.Owned || have.Orphan:
			ours = true
		case who.Among(have.Subjects):
			found.Total++
			if len(found.Bindings) < maxResidual {
				key := have.Key()
				found.Bindings = append(found.Bindings, v1alpha1.BindingReference{Kind: key.Kind(), Namespace: key.Namespace, Name: key.Name})
			}
		}
	})
	return found, ours, err
}

// eachBinding visits all bindings of the cluster, cluster-wide ones first. What is visited is valid during the visit.
func (w *Writer) eachBinding(ctx context.Context, visit func(client.Object)) error {
	w.reading.Lock()
	defer w.reading.Unlock()
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
