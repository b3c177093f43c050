// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serverClock tells the time of the API server, as its last answer had it: a revocation that is ahead of it is refused, and the clock of
// whoever revokes may be wrong.
type serverClock struct {
	fallback clock.PassiveClock
	next     http.RoundTripper

	mu   sync.Mutex
	last time.Time
}

// RoundTrip notes the time of an answer.
func (s *serverClock) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := s.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last = date
	}
	return response, nil
}

// Now returns the time of the last answer, in whole seconds; without one, that of this machine.
func (s *serverClock) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.IsZero() {
		return s.fallback.Now()
	}
	return s.last
}

// timedClient returns a client, and the clock of the API server that it talks to.
func (e *Env) timedClient() (client.Client, *serverClock, error) {
	connection, err := e.Connection()
	if err != nil {
		return nil, nil, err
	}
	now := &serverClock{fallback: e.Clock}
	connection.Wrap(func(next http.RoundTripper) http.RoundTripper {
		now.next = next
		return now
	})
	c, err := client.New(connection, client.Options{Scheme: scheme()})
	return c, now, err
}
