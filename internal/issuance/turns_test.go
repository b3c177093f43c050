// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"fmt"
	"testing"
	"time"
)

// start is when the tests begin.
var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestRenewRequestsOfAFleetAreSpread(t *testing.T) {
	turns := NewTurns()
	if at := turns.Next("alice", "first", start); !at.Equal(start) {
		t.Errorf("one alone waits until %v", at)
	}
	const fleet = 1000
	bySecond := map[time.Duration]int{}
	var last time.Time
	for i := range fleet {
		last = turns.Next(fmt.Sprint("identity-", i), "all", start)
		bySecond[last.Sub(start).Truncate(time.Second)]++
	}
	for second, n := range bySecond {
		if n > renewRate+renewBurst {
			t.Errorf("%d renewals in the second after %s", n, second)
		}
	}
	if took := last.Sub(start); took < fleet/renewRate*time.Second*9/10 {
		t.Errorf("all are renewed within %s", took)
	}
	if again := turns.Next(fmt.Sprint("identity-", fleet-1), "all", start.Add(time.Minute)); !again.Equal(last) {
		t.Errorf("the same request is answered at %v, then at %v", last, again)
	}
	turns.Forget("identity-1")
	if len(turns.byName) != fleet {
		t.Errorf("%d turns are kept, want %d", len(turns.byName), fleet)
	}
}

func TestAskingInALoopDoesNotMakeOthersWait(t *testing.T) {
	turns := NewTurns()
	for n := range renewBurst {
		turns.Next(fmt.Sprint("identity-", n), "1", start)
	}
	first := turns.Next("mallory", "0", start)
	for n := range 1000 {
		if got := turns.Next("mallory", fmt.Sprint(n), start); !got.Equal(first) {
			t.Fatalf("another request waits until %s, want %s", got, first)
		}
	}
	if got := turns.Next("alice", "1", start); got.Sub(start) > time.Second {
		t.Errorf("alice waits %s", got.Sub(start))
	}
	if again := turns.Next("mallory", "later", first); !again.After(first) {
		t.Error("a request after the last one was answered takes no turn")
	}
}
