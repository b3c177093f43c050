// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// observer sees what becomes of identities, whoever works on them: with one watch for the whole run, so that it costs every subject
// the same, and nothing that was there before is sent to it again.
type observer struct {
	mu     sync.Mutex
	prefix string
	watch  *stopwatch // nil while nothing is waited for
	done   condition
}

// condition says whether what was waited for is so. Deleted is how it was at its end.
type condition func(id *v1alpha1.ClientIdentity, deleted bool) bool

func newObserver(ctx context.Context, admin client.WithWatch) (*observer, error) {
	list := &v1alpha1.ClientIdentityList{}
	if err := admin.List(ctx, list); err != nil {
		return nil, err
	}
	events, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return admin.Watch(ctx, &v1alpha1.ClientIdentityList{}, &client.ListOptions{Raw: &options})
		},
	})
	if err != nil {
		return nil, err
	}
	o := &observer{}
	go func() {
		for event := range events.ResultChan() {
			o.see(event)
		}
	}()
	return o, nil
}

// expect makes it tell a batch of each identity that fulfils a condition from now on.
func (o *observer) expect(b *batch, done condition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prefix, o.watch, o.done = b.prefix+"-", b.stopwatch, done
}

// rest makes it wait for nothing.
func (o *observer) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watch = nil
}

func (o *observer) see(event watch.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, is := event.Object.(*v1alpha1.ClientIdentity)
	if !is || o.watch == nil {
		return
	}
	suffix, is := strings.CutPrefix(id.Name, o.prefix)
	if !is || !o.done(id, event.Type == watch.Deleted) {
		return
	}
	if i, err := strconv.Atoi(suffix); err == nil {
		o.watch.end(i)
	}
}
