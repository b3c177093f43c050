// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestTheTimeOfAProcessWhoseNameHasSpaces(t *testing.T) {
	stat := "4711 (a (strange) name) S 1 4711 4711 0 -1 4194560 4125 0 12 0 250 150 3 4 20 0 11 0 123456 1234567 4321 184467440737\n"
	if got := cpuIn(stat); got != 4*time.Second {
		t.Errorf("got %s", got)
	}
	for _, broken := range []string{"", "4711 (short) S 1", "4711 (x) S 1 4711 4711 0 -1 4194560 4125 0 12 0 no number 3 4"} {
		if got := cpuIn(broken); got != 0 {
			t.Errorf("got %s of %q", got, broken)
		}
	}
}
