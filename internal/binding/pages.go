// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"sync"

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

// reading is the look at all bindings of the cluster: one at a time, since pages may be large, and one for all who have come to wait for
// it meanwhile. The API server lets such a list wait, up to a tenth of a second, until it is sure to be up to date: many that are
// revoked at once would wait for each other. Nobody joins a look that has begun: it may have passed by what is to be found.
type reading struct {
	turn sync.Mutex

	mu      sync.Mutex
	waiting []*visitor
}

// visitor is somebody who waits for a look.
type visitor struct {
	visit func(client.Object)
	// begun says that the look has begun, whoever makes it; err is what came of it.
	begun bool
	err   error
}

// errCutOff is what came of a look that did not end.
var errCutOff = errors.New("the look at all role bindings was cut off")

// eachBinding visits all bindings of the cluster, cluster-wide ones first. What is visited is valid during the visit.
func (w *Writer) eachBinding(ctx context.Context, visit func(client.Object)) error {
	mine := w.reading.join(visit)
	w.reading.turn.Lock()
	defer w.reading.turn.Unlock()
	if mine.begun {
		return mine.err
	}
	visitors := w.reading.take()
	err := w.readAll(ctx, func(object client.Object) {
		for _, v := range visitors {
			v.visit(object)
		}
	})
	for _, v := range visitors {
		v.err = err
	}
	return err
}

// join returns a new visitor, who waits.
func (r *reading) join(visit func(client.Object)) *visitor {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &visitor{visit: visit, err: errCutOff}
	r.waiting = append(r.waiting, v)
	return v
}

// take returns all who wait, for the look that begins.
func (r *reading) take() []*visitor {
	r.mu.Lock()
	defer r.mu.Unlock()
	visitors := r.waiting
	r.waiting = nil
	for _, v := range visitors {
		v.begun = true
	}
	return visitors
}

// readAll reads all bindings and visits each.
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
