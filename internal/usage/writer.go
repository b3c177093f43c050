// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	// writers is how many statuses are written at a time.
	writers = 4
	// conflictDelay is when a write is tried again that met another one: the cache has it by then.
	conflictDelay = time.Second
)

// writer writes status.lastUsed, on each replica what that replica was told. It writes nothing else, and only on top of what
// it knows, so that two replicas do not undo each other; the reconciler's writes leave the field alone.
type writer struct {
	client client.Client
	table  *table
	clock  clock.PassiveClock
	queue  workqueue.TypedRateLimitingInterface[string]
}

func newWriter(c client.Client, interval time.Duration, now clock.PassiveClock) *writer {
	w := &writer{client: c, clock: now, queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Second, time.Minute))}
	w.table = newTable(interval, w.queue.AddAfter)
	return w
}

// NeedLeaderElection says that it runs on every replica: the API server posts to any of them.
func (*writer) NeedLeaderElection() bool { return false }

// Start writes until the context ends. It is a Runnable of the manager.
func (w *writer) Start(ctx context.Context) error {
	var working sync.WaitGroup
	for range writers {
		working.Go(func() {
			for w.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	w.queue.ShutDown()
	working.Wait()
	return nil
}

func (w *writer) next(ctx context.Context) bool {
	name, shutdown := w.queue.Get()
	if shutdown {
		return false
	}
	defer w.queue.Done(name)
	err := w.write(ctx, name)
	switch {
	case err == nil:
		w.queue.Forget(name)
	case apierrors.IsConflict(err):
		w.queue.AddAfter(name, conflictDelay)
	case ctx.Err() == nil:
		log.FromContext(ctx).Error(err, "cannot write when an identity was used last; trying again", "clientIdentity", name)
		w.queue.AddRateLimited(name)
	}
	return true
}

// write writes what is due of an identity.
func (w *writer) write(ctx context.Context, name string) error {
	now := w.clock.Now()
	uses := w.table.take(name, now)
	if len(uses) == 0 {
		return nil
	}
	before := &v1alpha1.ClientIdentity{}
	if err := w.client.Get(ctx, client.ObjectKey{Name: name}, before); err != nil {
		return client.IgnoreNotFound(err)
	}
	recorded := Record(before.Status.LastUsed, before.Status.Certificates, uses)
	if recorded == before.Status.LastUsed {
		return nil
	}
	after := before.DeepCopy()
	after.Status.LastUsed = recorded
	err := w.client.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write status.lastUsed of ClientIdentity %q: %w", name, err)
	}
	w.table.wrote(name, recorded, now)
	return nil
}
