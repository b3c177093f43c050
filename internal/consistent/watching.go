// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Watching returns a handler that tells this client of objects that come, change and go, before the other handler hears of it: what the
// caches have is not remembered any longer, and what is gone is not read from memory by the pass that follows.
func (c *Client) Watching(next handler.EventHandler) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.Funcs{
		GenericFunc: next.Generic,
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			c.seen(e.Object)
			next.Create(ctx, e, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			c.seen(e.ObjectNew)
			next.Update(ctx, e, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			c.gone(e.Object)
			next.Delete(ctx, e, q)
		},
	}
}

// seen drops a write that the cache shows. Nobody may come to read the object for long, and ten thousand of them are much.
func (c *Client) seen(object client.Object) {
	which, err := c.idOf(object, client.ObjectKeyFromObject(object))
	if err != nil {
		return // of no kind that is written here
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, known := c.writes[which]; known && last.object != nil && !older(object, last.object) {
		delete(c.writes, which)
	}
	if open := c.flights[which]; open != nil {
		open.shown = object
	}
}

func (c *Client) gone(object client.Object) {
	which, err := c.idOf(object, client.ObjectKeyFromObject(object))
	if err != nil {
		return // of no kind that is written here
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, known := c.writes[which]; known && last.uid == object.GetUID() {
		delete(c.writes, which)
	}
	if open := c.flights[which]; open != nil {
		open.deleted = append(open.deleted, object.GetUID())
	}
}
