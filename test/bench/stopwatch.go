// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
)

// points is how many points a curve has.
const points = 10

// stopwatch notes when each identity of a batch was changed, and when that had its effect.
type stopwatch struct {
	now func() time.Time

	mu    sync.Mutex
	start time.Time // when the first was changed
	began []time.Time
	took  []time.Duration // of those that are done, in their order
	ends  []time.Duration // the same, since the start
	done  []chan struct{}
	all   chan struct{}
}

func newStopwatch(count int, now func() time.Time) *stopwatch {
	s := &stopwatch{now: now, began: make([]time.Time, count), done: make([]chan struct{}, count), all: make(chan struct{})}
	for i := range s.done {
		s.done[i] = make(chan struct{})
	}
	return s
}

// begin notes that an identity is about to be changed.
func (s *stopwatch) begin(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began[i] = s.now()
	if s.start.IsZero() {
		s.start = s.began[i]
	}
}

// end notes that a change had its effect. Who tells it again, or before anything was changed, is not heard.
func (s *stopwatch) end(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.began) || s.began[i].IsZero() || isClosed(s.done[i]) {
		return
	}
	now := s.now()
	s.took, s.ends = append(s.took, now.Sub(s.began[i])), append(s.ends, now.Sub(s.start))
	close(s.done[i])
	if len(s.ends) == len(s.began) {
		close(s.all)
	}
}

func isClosed(channel chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// wait waits for one identity.
func (s *stopwatch) wait(ctx context.Context, i int) error { return waitFor(ctx, s.done[i]) }

// waitAll waits for all of them.
func (s *stopwatch) waitAll(ctx context.Context) error { return waitFor(ctx, s.all) }

func waitFor(ctx context.Context, channel <-chan struct{}) error {
	select {
	case <-channel:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finished returns how many are done.
func (s *stopwatch) finished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ends)
}

// elapsed returns the time from the first change to the last effect.
func (s *stopwatch) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// latency returns how long the changes took that are done; nil where none is.
func (s *stopwatch) latency() *result.Latency {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.took) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(s.took))
	return &result.Latency{
		P50: milliseconds(sorted[len(sorted)/2]), P99: milliseconds(sorted[len(sorted)*99/100]), Max: milliseconds(sorted[len(sorted)-1]),
	}
}

// curve returns the speed of each tenth; nil of fewer than that.
func (s *stopwatch) curve() []result.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) < points {
		return nil
	}
	var curve []result.Point
	before, at := 0, time.Duration(0)
	for k := 1; k <= points; k++ {
		count := len(s.ends) * k / points
		end := s.ends[count-1]
		point := result.Point{Identities: count}
		if end > at {
			point.PerSecond = float64(count-before) / (end - at).Seconds()
		}
		curve = append(curve, point)
		before, at = count, end
	}
	return curve
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
