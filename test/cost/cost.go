// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package cost bounds what pure functions cost, without a look at the clock of a machine: by what they allocate, and by how that
// and the time grow with what they are given.
package cost

import (
	"math"
	"testing"
	"time"
)

// Call is a call of a pure function.
type Call struct {
	// Most are the allocations that one call may take: what it takes now, and a third of that for other versions of Go and for
	// small changes. Who needs more shows why.
	Most float64
	Do   func()
}

// Test fails where one of the calls takes more allocations than it may.
func Test(t *testing.T, calls map[string]Call) {
	t.Helper()
	for name, call := range calls {
		if took := testing.AllocsPerRun(20, call.Do); took > call.Most {
			t.Errorf("%s takes %.0f allocations, and may take %.0f", name, took, call.Most)
		}
	}
}

// Benchmark runs each of the calls as a benchmark of its own.
func Benchmark(b *testing.B, calls map[string]Call) {
	for name, call := range calls {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call.Do()
			}
		})
	}
}

const (
	// times is how much more there is of what a call is given, and tolerated how many times the work may then be: with logarithms,
	// and the memory that does not fit into caches any more, it is less than three times as much again; a square would be ten times.
	times     = 10
	tolerated = 4 * times
	// tries are made of each, of which the shortest counts: others use the machine as well.
	tries = 50
)

// TestGrowth fails where a call that is given ten times as much, by size, takes far more than ten times the allocations, or the time.
func TestGrowth(t *testing.T, size int, call func(size int) func()) {
	t.Helper()
	few, many := call(size), call(times*size)
	if a, b := testing.AllocsPerRun(2, few), testing.AllocsPerRun(2, many); b > tolerated*max(a, 1) {
		t.Errorf("ten times as much (%d) takes %.0f allocations instead of %.0f", times*size, b, a)
	}
	if a, b := shortest(few, many); b > tolerated*a {
		t.Errorf("ten times as much (%d) takes %.1f times as long", times*size, b.Seconds()/a.Seconds())
	}
}

// shortest returns the shortest times that two calls took, of tries in turn.
func shortest(few, many func()) (a, b time.Duration) {
	a, b = math.MaxInt64, math.MaxInt64
	for range tries {
		start := time.Now()
		few()
		between := time.Now()
		many()
		a, b = min(a, between.Sub(start)), min(b, time.Since(between))
	}
	return a, b
}
