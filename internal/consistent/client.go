// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package consistent reads what this process has just written, without waiting for the caches: what the API server answered
// to a write counts until the cache has it. It may hold any object that is written through it, so Secrets are not.
//
// controller-runtime's own client of this kind (EnableReadYourWritesConsistency) waits for the cache instead, and for ever
// where an admission policy of the cluster takes an object out of the selector of the watch: each such object held a
// worker until the pass timed out. client-go's MutationCache knows no deletions, and forgets all but the last hundred.
package consistent

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// remembered is how long a write counts that the cache does not come to show: it is mostly behind by milliseconds, and
// where it never shows the object, nobody tells when it goes.
const remembered = 30 * time.Second

// Client is a client whose single reads know its own writes. Lists do not: they are what the cache has.
type Client struct {
	client.Client
	clock clock.PassiveClock
	// slim drops what the cache would not keep of an object, either: others may have made it large.
	slim func(client.Object)

	mu      sync.Mutex
	writes  map[id]write
	flights map[id]*flight
	swept   time.Time
}

type id struct {
	kind schema.GroupKind
	key  client.ObjectKey
}

// write is what the API server answered to the last write of an object.
type write struct {
	// object is nil where the write was a deletion that took effect at once.
	object client.Object
	uid    types.UID
	at     time.Time
}

// flight is a write that was not answered yet.
type flight struct {
	count int
	// deleted are the objects that were seen to go meanwhile, and shown is what the cache came to have.
	deleted []types.UID
	shown   client.Object
}

// New returns a client on top of one that reads from caches. Slim does to an object what the caches do; nil does nothing.
func New(cached client.Client, now clock.PassiveClock, slim func(client.Object)) *Client {
	if slim == nil {
		slim = func(client.Object) {}
	}
	return &Client{Client: cached, clock: now, slim: slim, writes: map[id]write{}, flights: map[id]*flight{}}
}

// Get reads from the cache or, while that is behind, what the last write of this client made of the object.
func (c *Client) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	which, err := c.idOf(object, key)
	if err != nil {
		return err
	}
	// Before the cache is read: a write that is answered meanwhile is the next reader's.
	last, known := c.lookUp(which)
	err = c.Client.Get(ctx, key, object, opts...)
	if !known || client.IgnoreNotFound(err) != nil {
		return err
	}
	switch {
	case last.object == nil && err != nil:
		// The cache may still come to show it, where it was deleted a moment after it was made.
		return err
	case last.object == nil:
		if object.GetUID() == last.uid {
			return apierrors.NewNotFound(schema.GroupResource{Group: which.kind.Group, Resource: which.kind.Kind}, key.Name)
		}
		c.drop(which, last)
		return nil
	case err == nil && !older(object, last.object):
		c.drop(which, last)
		return nil
	}
	return copyInto(last.object, object)
}

// Create creates an object and remembers it.
func (c *Client) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	return c.Writing(object, func() (client.Object, error) { return object, c.Client.Create(ctx, object, opts...) })
}

// Update updates an object and remembers it.
func (c *Client) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	return c.Writing(object, func() (client.Object, error) { return object, c.Client.Update(ctx, object, opts...) })
}

// Patch patches an object and remembers it.
func (c *Client) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.Writing(object, func() (client.Object, error) { return object, c.Client.Patch(ctx, object, patch, opts...) })
}

// Delete deletes an object and remembers that it is gone, unless finalizers keep it.
func (c *Client) Delete(ctx context.Context, object client.Object, opts ...client.DeleteOption) error {
	return c.Writing(object, func() (client.Object, error) { return nil, c.Client.Delete(ctx, object, opts...) })
}

// Status returns a writer of the status that remembers what it wrote.
func (c *Client) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource returns a client of a subresource. What it updates and patches is remembered.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return &subResource{SubResourceClient: c.Client.SubResource(name), client: c}
}

type subResource struct {
	client.SubResourceClient
	client *Client
}

func (s *subResource) Update(ctx context.Context, object client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.client.Writing(object, func() (client.Object, error) { return object, s.SubResourceClient.Update(ctx, object, opts...) })
}

func (s *subResource) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.client.Writing(object, func() (client.Object, error) { return object, s.SubResourceClient.Patch(ctx, object, patch, opts...) })
}

// Writing carries out a write of an object that may go past this client, and remembers what it returns: the object as the
// API server answered it, or nil for a deletion.
func (c *Client) Writing(object client.Object, do func() (client.Object, error)) error {
	which, err := c.idOf(object, client.ObjectKeyFromObject(object))
	if err != nil {
		return err
	}
	uid, kept := object.GetUID(), len(object.GetFinalizers()) > 0
	c.begin(which)
	written, err := do()
	switch {
	case apierrors.IsNotFound(err):
		c.finish(which, nil)
		c.forget(which)
	case err != nil || (written == nil && (kept || uid == "")):
		c.finish(which, nil)
	case written == nil:
		c.finish(which, &write{uid: uid, at: c.clock.Now()})
	default:
		answered, ok := written.DeepCopyObject().(client.Object)
		if !ok {
			c.finish(which, nil)
			return fmt.Errorf("%T is no object", written)
		}
		c.slim(answered)
		c.finish(which, &write{object: answered, uid: answered.GetUID(), at: c.clock.Now()})
	}
	return err
}

func (c *Client) begin(which id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[which] == nil {
		c.flights[which] = &flight{}
	}
	c.flights[which].count++
}

// finish ends a write and remembers its result, unless there is none or the object was seen to go meanwhile.
func (c *Client) finish(which id, result *write) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.flights[which]
	if open.count--; open.count == 0 {
		delete(c.flights, which)
	}
	if result == nil {
		return
	}
	for _, uid := range open.deleted {
		if uid == result.uid {
			return
		}
	}
	if last, known := c.writes[which]; known && last.object != nil && result.object != nil && older(result.object, last.object) {
		return // answered late
	}
	if open.shown != nil && result.object != nil && open.shown.GetUID() == result.uid && !older(open.shown, result.object) {
		delete(c.writes, which) // and later than the cache came to show it
		return
	}
	c.writes[which] = *result
	c.sweep(result.at)
}

// forget drops what is remembered of an object that the API server does not have.
func (c *Client) forget(which id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.writes, which)
}

// sweep drops what was remembered for too long.
func (c *Client) sweep(now time.Time) {
	if now.Sub(c.swept) < remembered {
		return
	}
	c.swept = now
	for which, last := range c.writes {
		if now.Sub(last.at) >= remembered {
			delete(c.writes, which)
		}
	}
}

func (c *Client) lookUp(which id) (write, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.writes[which]
	return last, known && c.clock.Now().Sub(last.at) < remembered
}

// drop forgets a write that the cache shows by now, unless there is a newer one.
func (c *Client) drop(which id, seen write) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, known := c.writes[which]; known && last.object == seen.object && last.uid == seen.uid {
		delete(c.writes, which)
	}
}

func (c *Client) idOf(object client.Object, key client.ObjectKey) (id, error) {
	gvk, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return id{}, fmt.Errorf("find the kind of %T: %w", object, err)
	}
	return id{kind: gvk.GroupKind(), key: key}, nil
}

// older says whether a was written before b. Versions are numbers that grow in all of a resource
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions); where one is none, the cache is right.
func older(a, b client.Object) bool {
	order, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	return err == nil && order < 0
}

// copyInto makes to a copy of from, which is of the same type.
func copyInto(from, to client.Object) error {
	source, target := reflect.ValueOf(from.DeepCopyObject()), reflect.ValueOf(to)
	if source.Type() != target.Type() {
		return fmt.Errorf("%T was written, and %T is read", from, to)
	}
	target.Elem().Set(source.Elem())
	return nil
}
