// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"time"
)

func TestRenewRequestsOfAFleetAreSpread(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := newRenewRequests()
	if at := r.slot("alice", "first", now); !at.Equal(now) {
		t.Errorf("one alone waits until %v", at)
	}
	const fleet = 1000
	bySecond := map[time.Duration]int{}
	var last time.Time
	for i := range fleet {
		last = r.slot(fmt.Sprint("identity-", i), "all", now)
		bySecond[last.Sub(now).Truncate(time.Second)]++
	}
	for second, n := range bySecond {
		if n > renewRate+renewBurst {
			t.Errorf("%d renewals in the second after %s", n, second)
		}
	}
	if took := last.Sub(now); took < fleet/renewRate*time.Second*9/10 {
		t.Errorf("all are renewed within %s", took)
	}
	if again := r.slot(fmt.Sprint("identity-", fleet-1), "all", now.Add(time.Minute)); !again.Equal(last) {
		t.Errorf("the same request is answered at %v, then at %v", last, again)
	}
	r.forget("identity-1")
	if len(r.slots) != fleet {
		t.Errorf("%d slots are kept, want %d", len(r.slots), fleet)
	}
}
