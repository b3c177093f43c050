// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"
)

func TestWakeAt(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		asked []time.Duration
		want  time.Duration
	}{
		"asks for nothing where nothing is due":                 {},
		"asks for the earliest time":                            {asked: []time.Duration{time.Hour, time.Minute, time.Second}, want: time.Second},
		"never asks again for a time that has come":             {asked: []time.Duration{0}},
		"looks at what is due later where something is overdue": {asked: []time.Duration{-time.Minute, time.Hour}, want: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pass{now: now}
			p.wakeAt(time.Time{})
			for _, after := range test.asked {
				p.wakeAt(now.Add(after))
			}
			result, err := p.result()
			if err != nil || result.RequeueAfter != test.want {
				t.Errorf("looks again after %s (%v), want %s", result.RequeueAfter, err, test.want)
			}
		})
	}
}
