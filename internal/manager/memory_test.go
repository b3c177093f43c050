// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for name, test := range map[string]struct {
		container, own string
		want           int64
	}{
		"four fifths of the container's":       {"268435456", "", 214748365},
		"whatever that is":                     {"1000", "", 800},
		"none where somebody set Go's own":     {"268435456", "100MiB", -1},
		"none where it was turned off":         {"268435456", "off", -1},
		"none outside a container":             {"", "", -1},
		"none of what is no number of bytes":   {"256Mi", "", -1},
		"none of what cannot be":               {"0", "", -1},
		"none where the container's is no end": {"9223372036854775807", "", -1},
	} {
		if got := memoryLimit(test.container, test.own); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

func TestLimitMemory(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) })
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv(memoryVariable, "10000000000")
	t.Setenv("GOGC", "100")
	if got := LimitMemory(); got != 8_000_000_000 || debug.SetMemoryLimit(-1) != got {
		t.Errorf("told %d", got)
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC was set, and the garbage collector was told %d", got)
	}
	t.Setenv("GOGC", "")
	LimitMemory()
	if got := debug.SetGCPercent(100); got != garbage {
		t.Errorf("the garbage collector was told %d percent", got)
	}
}
