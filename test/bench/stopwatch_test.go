// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/clientidentity/operator/test/bench/result"
)

// timed returns a stopwatch for so many, and what sets its time.
func timed(count int) (*stopwatch, func(time.Duration)) {
	start := time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)
	now := start
	return newStopwatch(count, func() time.Time { return now }), func(since time.Duration) { now = start.Add(since) }
}

func TestLatenciesAreThoseFromEachChangeToItsEffect(t *testing.T) {
	s, at := timed(4)
	for i := range 4 {
		at(time.Duration(i) * time.Second)
		s.begin(i)
	}
	for i, end := range []int{1, 3, 5, 13} { // 1, 2, 3 and 10 s
		at(time.Duration(end) * time.Second)
		s.end(i)
	}
	if got, want := s.latency(), (&result.Latency{P50: 3000, P99: 10000, Max: 10000}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if s.elapsed() != 13*time.Second {
		t.Errorf("elapsed are %s", s.elapsed())
	}
}

func TestACurveTellsWhatBecomesSlower(t *testing.T) {
	s, at := timed(20)
	for i := range 20 {
		s.begin(i)
	}
	now := time.Duration(0)
	for i := range 20 {
		now += time.Second
		if i >= 10 {
			now += time.Second
		}
		at(now)
		s.end(i)
	}
	curve := s.curve()
	if len(curve) != points || curve[0] != (result.Point{Identities: 2, PerSecond: 1}) || curve[9] != (result.Point{Identities: 20, PerSecond: 0.5}) {
		t.Errorf("got %v", curve)
	}
}

func TestWhatIsSeenTwiceOrTooEarlyIsNotCounted(t *testing.T) {
	s, at := timed(2)
	s.end(1) // seen as it was before the change
	s.begin(0)
	s.begin(1)
	at(time.Second)
	s.end(0)
	at(time.Minute)
	s.end(0)
	s.end(-1)
	s.end(2)
	if s.finished() != 1 || s.elapsed() != time.Second || s.curve() != nil {
		t.Errorf("%d are done after %s: %v", s.finished(), s.elapsed(), s.curve())
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if s.wait(t.Context(), 0) != nil || s.wait(stopped, 1) == nil || s.waitAll(stopped) == nil {
		t.Error("waits for the wrong ones")
	}
	s.end(1)
	if err := s.waitAll(t.Context()); err != nil {
		t.Error(err)
	}
}
