// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"slices"
	"testing"
	"time"
)

func TestNextAllowed(t *testing.T) {
	// one certificate every interval, the last one asked for at asked
	every := func(interval time.Duration, count int) []time.Time {
		var times []time.Time
		for n := range count {
			times = append(times, asked.Add(-backdate-time.Duration(n)*interval))
		}
		return times
	}
	for name, test := range map[string]struct {
		notBefore   []time.Time
		requestTime time.Time
		now         time.Duration
		want        time.Duration // after asked; zero where one may be asked for at any time
	}{
		"nine in a row may be followed by a tenth":            {every(time.Second, 9), asked, 0, 0},
		"ten within five minutes wait until five have passed": {every(time.Second, 10), asked, time.Second, 5*time.Minute - 9*time.Second},
		"and are free then":                                   {every(time.Second, 10), asked, 5*time.Minute - 9*time.Second, 0},
		"ten over five minutes wait for nothing":              {every(34*time.Second, 10), asked, 0, 0},
		"none":                                                {nil, asked, 0, 0},
		"ten of which nobody knows when":                      {every(time.Second, 10), time.Time{}, 0, 0},
		"ten of a clock that was ahead":                       {every(time.Second, 10), asked.Add(24 * time.Hour), 0, 0},
		"ten whose newest is not the newest made":             {slices.Repeat([]time.Time{asked}, 10), asked, 0, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			got := NextAllowed(test.requestTime, test.notBefore, asked.Add(test.now))
			if test.want == 0 && !got.IsZero() || test.want != 0 && !got.Equal(asked.Add(test.want)) {
				t.Errorf("got %s, want %s after %s", got, test.want, asked)
			}
		})
	}
}
