// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"errors"
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
)

// errCut is what a client gets in place of an answer.
var errCut = errors.New("the connection was cut by a test")

// Transport stands between one operator and the API server.
type Transport struct {
	mu     sync.Mutex
	dead   bool
	left   int // writes until it dies; negative for never
	lose   func() bool
	died   chan struct{}
	writes int
	holds  []*hold
}

// NewTransport returns a way to the API server that works.
func NewTransport() *Transport {
	return &Transport{left: -1, died: make(chan struct{})}
}

// Through returns the connection, led through the transport.
func (t *Transport) Through(connection *rest.Config) *rest.Config {
	connection = rest.CopyConfig(connection)
	connection.Wrap(func(next http.RoundTripper) http.RoundTripper { return &link{t, next} })
	return connection
}

// Lose drops the answers to those writes that lose says true for: they were made, and the operator is not told.
func (t *Transport) Lose(lose func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lose = lose
}

// Kill cuts the operator off, as the end of its process does: nothing that it sends arrives any more.
func (t *Transport) Kill() { t.KillAfter(0) }

// KillAfter cuts the operator off after so many more writes. The answer to the last one is lost.
func (t *Transport) KillAfter(writes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = writes
	if writes == 0 {
		t.die()
	}
}

// Died is closed once the operator is cut off.
func (t *Transport) Died() <-chan struct{} { return t.died }

// Writes returns how many writes were sent.
func (t *Transport) Writes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes
}

// die is called with the lock held.
func (t *Transport) die() {
	if !t.dead {
		t.dead = true
		close(t.died)
	}
}

// isDead says whether nothing passes any more.
func (t *Transport) isDead() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dead
}

// wrote counts a write that was made, and says whether its answer arrives.
func (t *Transport) wrote() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes++
	if t.left > 0 {
		if t.left--; t.left == 0 {
			t.die()
		}
	}
	return !t.dead && (t.lose == nil || !t.lose())
}

// link is the transport for one connection.
type link struct {
	*Transport
	next http.RoundTripper
}

// RoundTrip sends a request, if there still is somebody who sends.
func (l *link) RoundTrip(request *http.Request) (*http.Response, error) {
	if l.isDead() {
		return nil, errCut
	}
	if err := l.pass(request); err != nil {
		return nil, err
	}
	response, err := l.next.RoundTrip(request)
	if err == nil {
		response.Body = &heldBody{response.Body, l.Transport, request}
	}
	if err != nil || request.Method == http.MethodGet || request.Method == http.MethodHead {
		return response, err
	}
	if !l.wrote() {
		_ = response.Body.Close()
		return nil, errCut
	}
	return response, nil
}
