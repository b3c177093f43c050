// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package bulkhead keeps what is slow in one place from holding up everybody: where an admission webhook of one namespace lets each
// write hang for ten seconds, some identities that publish there would take all workers, one after the other. So few
// requests to one place are under way at a time, and who finds it full comes again later. Where answers come in milliseconds nobody
// notices.
package bulkhead

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// patience is how long a request waits for those before it, in a place that has just become full.
const patience = 250 * time.Millisecond

// Bulkhead bounds how many requests to one place are under way.
type Bulkhead struct {
	most  int
	clock clock.Clock

	mu     sync.Mutex
	places map[string]*place
}

// place is where requests are under way, or wait.
type place struct {
	slots chan struct{}
	// inside and waiting count requests, and fullSince is since when nobody has left a place that is full.
	inside, waiting int
	fullSince       time.Time
}

// New returns a bulkhead that lets so many requests be under way to each place.
func New(most int, now clock.Clock) *Bulkhead {
	return &Bulkhead{most: max(1, most), clock: now, places: map[string]*place{}}
}

// Enter waits a moment until there is room in a place. Who gets in says so when it leaves.
func (b *Bulkhead) Enter(ctx context.Context, where string) (leave func(), err error) {
	at, wait := b.come(where)
	timer := b.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case at.slots <- struct{}{}:
		b.enter(at)
		return func() { b.leave(where, at) }, nil
	default:
	}
	select {
	case at.slots <- struct{}{}:
		b.enter(at)
		return func() { b.leave(where, at) }, nil
	case <-timer.C():
		err = fmt.Errorf("%d requests to %s are not answered yet: it is tried again later", b.most, where)
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.giveUp(where, at)
	return nil, err
}

// come returns a place, and how long to wait for it.
func (b *Bulkhead) come(where string) (*place, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.places[where]
	if at == nil {
		at = &place{slots: make(chan struct{}, b.most)}
		b.places[where] = at
	}
	at.waiting++
	wait := patience
	if at.inside == b.most {
		wait -= b.clock.Since(at.fullSince)
	}
	return at, wait
}

func (b *Bulkhead) enter(at *place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at.waiting--
	if at.inside++; at.inside == b.most {
		at.fullSince = b.clock.Now()
	}
}

func (b *Bulkhead) leave(where string, at *place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at.inside--
	<-at.slots
	b.forget(where, at)
}

func (b *Bulkhead) giveUp(where string, at *place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at.waiting--
	b.forget(where, at)
}

// forget drops a place that nobody is in, or waits for. It is called with the lock held.
func (b *Bulkhead) forget(where string, at *place) {
	if at.inside+at.waiting == 0 {
		delete(b.places, where)
	}
}

// Wrap bounds the writes of a connection, by namespace. Those that are in no namespace, events, reads, and deletions go on as they are: what
// ends access waits for nothing.
func (b *Bulkhead) Wrap(next http.RoundTripper) http.RoundTripper { return bounded{b, next} }

type bounded struct {
	*Bulkhead
	next http.RoundTripper
}

// RoundTrip sends a request where there is room for it.
func (t bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	where := placeOf(request)
	if where == "" {
		return t.next.RoundTrip(request)
	}
	leave, err := t.Enter(request.Context(), where)
	if err != nil {
		return nil, err
	}
	defer leave()
	return t.next.RoundTrip(request)
}

// placeOf returns the namespace that a request writes to; empty for all that are not bounded.
func placeOf(request *http.Request) string {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		return ""
	}
	_, rest, found := strings.Cut(request.URL.Path, "/namespaces/")
	parts := strings.SplitN(rest, "/", 3)
	if !found || len(parts) < 2 || parts[1] == "events" { // which no worker waits for
		return ""
	}
	return "namespace " + parts[0]
}
