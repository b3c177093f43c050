// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/endpoint"
)

// The status is patched with the right that the reconciler has.
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/status,verbs=patch

// Path is where audit events are posted to.
const Path = "/audit"

// Options say how audit events are taken.
type Options struct {
	// Endpoint is where they are posted to, and by whom.
	Endpoint endpoint.Options
	// Interval is the time between two writes of an identity's status, at least.
	Interval time.Duration
	// Silence is how long no proof of the operator may come back until uses count as unnoticed.
	Silence time.Duration
	// Namespace is where the Lease is that remembers since when they are noticed.
	Namespace string
}

// NewStream returns what knows since when audit events come. Live is a client without a cache.
func NewStream(live client.Client, now clock.PassiveClock, options Options) *Stream {
	return &Stream{client: live, namespace: options.Namespace, clock: now, every: options.Silence / 6, silence: options.Silence}
}

// Add adds the endpoint, the writer and the stream to a manager. They run on every replica.
func Add(ctx context.Context, mgr manager.Manager, stream *Stream, now clock.PassiveClock, options Options) error {
	w := newWriter(mgr.GetClient(), options.Interval, now)
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.ClientIdentity{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch identities for audit events: %w", err)
	}
	if _, err := informer.AddEventHandler(watching(w.table, now)); err != nil {
		return fmt.Errorf("watch identities for audit events: %w", err)
	}
	server, err := endpoint.New(options.Endpoint, Path, newHandler(w.table, stream.heartbeat, now))
	if err != nil {
		return err
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("set up the endpoint for audit events: %w", err)
	}
	if err := mgr.Add(w); err != nil {
		return fmt.Errorf("set up the writer of status.lastUsed: %w", err)
	}
	if err := mgr.Add(stream); err != nil {
		return fmt.Errorf("set up what keeps since when audit events come: %w", err)
	}
	return nil
}

// watching tells the table of identities.
func watching(table *table, now clock.PassiveClock) toolscache.ResourceEventHandler {
	know := func(object any) {
		if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
			table.know(identity, now.Now())
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    know,
		UpdateFunc: func(_, after any) { know(after) },
		DeleteFunc: func(object any) {
			if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
				object = last.Obj
			}
			if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
				table.forget(identity.Name)
			}
		},
	}
}
