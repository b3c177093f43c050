// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"io"
	"net/http"
	"sync"
)

// hold is what does not pass for now.
type hold struct {
	matches  func(*http.Request) bool
	released chan struct{}
	once     sync.Once
	waiting  chan struct{} // closed once something waits
	first    sync.Once
}

// Hold keeps requests that match, and what is answered to them, until what it returns first is called. Requests that are held
// were not sent; of watches that are open, what they tell is held. What it returns second is closed once something waits.
func (t *Transport) Hold(matches func(*http.Request) bool) (release func(), waiting <-chan struct{}) {
	h := &hold{matches: matches, released: make(chan struct{}), waiting: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holds = append(t.holds, h)
	return func() { h.once.Do(func() { close(h.released) }) }, h.waiting
}

// Everything matches all requests: an operator that is held so stands still, as a process does that was stopped.
func Everything(*http.Request) bool { return true }

// pass waits until nothing holds the request any more, or its sender gives up.
func (t *Transport) pass(request *http.Request) error {
	t.mu.Lock()
	holds := t.holds
	t.mu.Unlock()
	for _, h := range holds {
		select {
		case <-h.released:
			continue
		default:
		}
		if !h.matches(request) {
			continue
		}
		h.first.Do(func() { close(h.waiting) })
		select {
		case <-h.released:
		case <-request.Context().Done():
			return request.Context().Err()
		}
	}
	return nil
}

// heldBody is an answer whose parts arrive when nothing holds them.
type heldBody struct {
	io.ReadCloser
	transport *Transport
	request   *http.Request
}

// Read returns what was read once it may pass.
func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if held := b.transport.pass(b.request); held != nil {
		return 0, held
	}
	return n, err
}
