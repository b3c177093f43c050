// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package timing

import (
	"fmt"
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123, time.UTC)

func TestStampIsTheSameInEveryZone(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -5*3600)} {
		if got := Stamp(noon.In(zone)); got != "2026-11-22T12:00:00Z" {
			t.Errorf("got %s", got)
		}
	}
}

func TestTimesOfTheAPI(t *testing.T) {
	if got := Of(nil); got != nil {
		t.Errorf("nothing is %s", got)
	}
	if got := Value(nil); !got.IsZero() {
		t.Errorf("nothing is %s", got)
	}
	if got := Of(&metav1.Time{Time: noon}); got == nil || !got.Equal(noon) {
		t.Errorf("noon is %v", got)
	}
	if got := Value(&metav1.Time{Time: noon}); !got.Equal(noon) {
		t.Errorf("noon is %s", got)
	}
}

func TestJitterIsEven(t *testing.T) {
	for _, window := range []time.Duration{10 * time.Minute, 90 * 24 * time.Hour, 6 * 365 * 24 * time.Hour} {
		var tenths [10]int
		for n := range 10000 {
			got := Jitter(fmt.Sprintf("9f1c2d3e-4a5b-4c6d-8e7f-%012d", n), window)
			if got < 0 || got >= window || got%time.Second != 0 {
				t.Fatalf("%s of %s", got, window)
			}
			tenths[min(got/(window/10), 9)]++
		}
		for i, n := range tenths {
			if n < 900 || n > 1100 {
				t.Errorf("%d of 10000 in tenth %d of %s, want about 1000: %v", n, i, window, tenths)
			}
		}
	}
}

func TestJitterIsStable(t *testing.T) {
	// Another hash would move every renewal of a fleet at an upgrade.
	for seed, want := range map[string]time.Duration{"": 3*time.Minute + 52*time.Second, "alice": time.Second, "bob": 8*time.Minute + time.Second} {
		if got := Jitter(seed, 10*time.Minute); got != want {
			t.Errorf("%q: got %s, want %s", seed, got, want)
		}
	}
}

func TestJitterOfNoWindowIsNone(t *testing.T) {
	for _, window := range []time.Duration{0, -1, -time.Hour, math.MinInt64, 1, time.Second} {
		if got := Jitter("alice", window); got != 0 {
			t.Errorf("%s of %s", got, window)
		}
	}
}

func TestEarliest(t *testing.T) {
	in := noon.Add
	for name, test := range map[string]struct {
		times []time.Time
		want  time.Time
	}{
		"none of none":                       {nil, time.Time{}},
		"none of times that are not set":     {[]time.Time{{}, {}}, time.Time{}},
		"none of times that have come":       {[]time.Time{in(-time.Hour), in(-1), in(0)}, time.Time{}},
		"the only one that is yet to come":   {[]time.Time{{}, in(-1), in(time.Hour), in(0)}, in(time.Hour)},
		"the earliest, in whatever order":    {[]time.Time{in(time.Hour), in(2), in(1), in(time.Minute)}, in(1)},
		"the earliest one in whatever place": {[]time.Time{in(1), in(2)}, in(1)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Earliest(noon, test.times...); !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
