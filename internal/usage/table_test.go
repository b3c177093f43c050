// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"
	"time"

	"github.com/clientidentity/operator/internal/timing"
)

func TestTheFirstUseOfACertificateIsWrittenAtOnceAndTheNextInAnHour(t *testing.T) {
	var writes asked
	table := newTable(time.Hour, writes.due)
	table.know(identity("alice", 1), start)
	jitter := timing.Jitter("alice", 6*time.Minute)

	table.used(fingerprint(1), use(0), start)
	if got := writes.String(); got != "alice in 0s" {
		t.Fatalf("the first use: %s", got)
	}
	id := identity("alice", 1)
	id.Status.LastUsed = Record(nil, id.Status.Certificates, table.take("alice", start))
	table.wrote("alice", id.Status.LastUsed, start)

	writes = nil
	now := start
	for range 3600 {
		now = now.Add(500 * time.Millisecond)
		table.used(fingerprint(1), use(now.Sub(start)), now)
		if taken := table.take("alice", now); taken != nil {
			t.Fatalf("taken after %s", now.Sub(start))
		}
	}
	now = start.Add(time.Hour + jitter)
	if taken := table.take("alice", now); taken[fingerprint(1)] != use(30*time.Minute) {
		t.Fatalf("an hour later: %v", taken)
	}

	t.Run("counting from the last use after a restart", func(t *testing.T) {
		var writes asked
		table := newTable(time.Hour, writes.due)
		table.know(id, start.Add(10*time.Minute))
		table.used(fingerprint(1), use(10*time.Minute), start.Add(10*time.Minute))
		if got, want := writes.String(), "alice in "+(50*time.Minute+jitter).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})

	t.Run("counting from the write of another replica", func(t *testing.T) {
		var writes asked
		table := newTable(time.Hour, writes.due)
		table.know(identity("alice", 1), start)
		table.know(id, start.Add(20*time.Minute))
		table.used(fingerprint(1), use(30*time.Minute), start.Add(30*time.Minute))
		if got, want := writes.String(), "alice in "+(50*time.Minute+jitter).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})

	t.Run("but at once for another certificate", func(t *testing.T) {
		var writes asked
		table := newTable(time.Hour, writes.due)
		both := id.DeepCopy()
		both.Status.Certificates = identity("alice", 2, 1).Status.Certificates
		table.know(both, start)
		table.used(fingerprint(1), use(time.Minute), start.Add(time.Minute))
		table.used(fingerprint(2), use(time.Minute), start.Add(time.Minute))
		if got, want := writes.String(), "alice in "+(59*time.Minute+jitter).String()+", alice in 0s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestTheTableHoldsNothingOfWhatItDoesNotKnow(t *testing.T) {
	var writes asked
	table := newTable(time.Hour, writes.due)
	table.know(identity("alice", 1, 2), start)
	for n := range 1000 {
		if n != 1 && n != 2 {
			table.used(fingerprint(n), use(0), start)
		}
	}
	if len(writes) != 0 || len(table.byName["alice"].pending) != 0 || len(table.byFingerprint) != 2 {
		t.Errorf("writes %v, pending %v, %d fingerprints", writes, table.byName["alice"].pending, len(table.byFingerprint))
	}

	table.used(fingerprint(1), use(0), start)
	table.know(identity("alice", 3, 2), start)
	if table.knows(fingerprint(1)) || !table.knows(fingerprint(3)) || len(table.byName["alice"].pending) != 0 {
		t.Errorf("a certificate that has ended is kept: %v", table.byName["alice"].pending)
	}
	if taken := table.take("alice", start); taken != nil {
		t.Errorf("taken: %v", taken)
	}

	again := identity("alice", 7)
	again.UID = "another"
	table.know(again, start)
	if table.knows(fingerprint(3)) || !table.knows(fingerprint(7)) {
		t.Error("an identity of the same name is taken for the one before")
	}
	table.forget("alice")
	if len(table.byName) != 0 || len(table.byFingerprint) != 0 {
		t.Errorf("an identity that is gone is kept: %v %v", table.byName, table.byFingerprint)
	}
	table.forget("alice")
	table.wrote("alice", nil, start)
}
