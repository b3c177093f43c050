// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// pageSize is how many objects are read at a time, by one at a time: each may have a megabyte and a half, whoever
	// wrote it, and takes several times as much while it is decoded.
	pageSize = 8
	// largePage is how many are read at a time where they are as small as bindings mostly are. Where one is not, pages are smaller by
	// pageStep, and larger again after as many.
	largePage, pageStep = 512, 8
	// pageTimeout bounds one request: a connection that hangs ends a look, and not all of them.
	pageTimeout = 30 * time.Second
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

// eachPage lists live and calls visit for each page in list: large ones, and smaller ones where something in them is not small.
func (w *Writer) eachPage(ctx context.Context, list client.ObjectList, visit func()) error {
	largest := int64(pageSize)
	if w.Small != nil {
		largest = largePage
	}
	token, size, read, expired := "", largest, 0, false
	for {
		err := w.page(ctx, list, size, token)
		switch later := whereExpired(err); {
		case err == nil:
			visit()
			if token = list.GetContinue(); token == "" {
				return nil
			}
			if read, expired = read+1, false; read == pageStep {
				size, read = min(size*pageStep, largest), 0
			}
		case later != "" && !expired:
			// The state that was listed is forgotten. Whatever was there then, and still is, comes after that in the newer one, too.
			token, expired = later, true
		case size > pageSize:
			size, read = size/pageStep, 0 // whatever kept a large page from being read is told by the one that is read instead
		default:
			return fmt.Errorf("look for role bindings (%T): %w", list, err)
		}
	}
}

// page reads a page: a large one only where all of it is small.
func (w *Writer) page(ctx context.Context, list client.ObjectList, size int64, token string) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	reader := w.Live
	if size > pageSize {
		reader = w.Small
	}
	return reader.List(ctx, list, client.Limit(size), client.Continue(token))
}

// whereExpired returns where a list goes on whose continuation has expired; empty for any other error, and for none.
func whereExpired(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &status) {
		return ""
	}
	return status.Status().Continue
}
