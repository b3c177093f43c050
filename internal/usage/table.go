// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// table knows the certificates of all identities, as their status lists them, and holds the uses that are not written yet. What
// it holds is bounded by those lists: an event of any other certificate leaves nothing behind. Its locks are its own: no
// reconcile waits for them.
type table struct {
	// interval is the time between two writes of an identity, at least.
	interval time.Duration
	// due is called when uses of an identity are to be written, and how long from now. It must not block.
	due func(name string, in time.Duration)

	mu            sync.RWMutex
	byFingerprint map[string]*entry
	byName        map[string]*entry
}

// entry is what is held of an identity.
type entry struct {
	mu   sync.Mutex
	name string
	uid  types.UID
	// listed are the fingerprints that lead here.
	listed []string
	// recorded is status.lastUsed as it was seen or written last, not to be changed.
	recorded *v1alpha1.LastUsed
	// written is when the status was last seen to change, or was written by this process; zero where neither is known.
	written time.Time
	// pending are the uses that the status does not have yet, by fingerprint.
	pending map[string]Use
	// asked says that a write is asked for already, and askedFor when.
	asked    bool
	askedFor time.Time
}

func newTable(interval time.Duration, due func(name string, in time.Duration)) *table {
	return &table{interval: interval, due: due, byFingerprint: map[string]*entry{}, byName: map[string]*entry{}}
}

// know takes over what the status of an identity says.
func (t *table) know(identity *v1alpha1.ClientIdentity, now time.Time) {
	t.mu.Lock()
	e := t.byName[identity.Name]
	if e != nil && e.uid != identity.UID {
		t.drop(e)
		e = nil
	}
	isNew := e == nil
	if isNew {
		e = &entry{name: identity.Name, uid: identity.UID, pending: map[string]Use{}}
		t.byName[e.name] = e
	}
	t.unlist(e)
	e.listed = nil
	for i := range identity.Status.Certificates {
		if fingerprint := identity.Status.Certificates[i].Fingerprint; fingerprint != "" {
			e.listed = append(e.listed, fingerprint)
			t.byFingerprint[fingerprint] = e
		}
	}
	listed := e.listed
	t.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	recorded := identity.Status.LastUsed
	switch {
	case isNew:
		e.recorded = recorded
	case latest(recorded).After(latest(e.recorded)):
		e.recorded, e.written = recorded, now // by another replica
	}
	maps.DeleteFunc(e.pending, func(fingerprint string, use Use) bool {
		return !slices.Contains(listed, fingerprint) || !newer(e.recorded, fingerprint, use.Time)
	})
}

// forget drops an identity that is gone.
func (t *table) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byName[name]; e != nil {
		t.drop(e)
	}
}

func (t *table) drop(e *entry) {
	t.unlist(e)
	delete(t.byName, e.name)
}

func (t *table) unlist(e *entry) {
	for _, fingerprint := range e.listed {
		if t.byFingerprint[fingerprint] == e {
			delete(t.byFingerprint, fingerprint)
		}
	}
}

// knows says whether a fingerprint is one of an identity's.
func (t *table) knows(fingerprint string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, known := t.byFingerprint[fingerprint]
	return known
}

// used takes in the last use of a certificate, and asks for a write where one is not asked for yet.
func (t *table) used(fingerprint string, use Use, now time.Time) {
	t.mu.RLock()
	e := t.byFingerprint[fingerprint]
	t.mu.RUnlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if before, known := e.pending[fingerprint]; known && !before.Time.Before(use.Time) {
		return
	}
	if !newer(e.recorded, fingerprint, use.Time) {
		return
	}
	e.pending[fingerprint] = use
	at := e.writeAt(t.interval, now)
	if e.asked && !at.Before(e.askedFor) {
		return
	}
	e.asked, e.askedFor = true, at
	t.due(e.name, max(at.Sub(now), 0))
}

// take returns what is to be written of an identity now; nothing where it is not time yet, which it asks for again.
func (t *table) take(name string, now time.Time) map[string]Use {
	t.mu.RLock()
	e := t.byName[name]
	t.mu.RUnlock()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = false
	if len(e.pending) == 0 {
		return nil
	}
	if at := e.writeAt(t.interval, now); at.After(now) {
		e.asked, e.askedFor = true, at
		t.due(e.name, at.Sub(now))
		return nil
	}
	return maps.Clone(e.pending)
}

// wrote remembers what this process has written into the status of an identity: the cache shows it later.
func (t *table) wrote(name string, recorded *v1alpha1.LastUsed, now time.Time) {
	t.mu.RLock()
	e := t.byName[name]
	t.mu.RUnlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorded, e.written = recorded, now
	maps.DeleteFunc(e.pending, func(fingerprint string, use Use) bool { return !newer(recorded, fingerprint, use.Time) })
}

// writeAt returns when the pending uses are to be written: at once where a certificate was not used before, and otherwise
// an interval after the last write. That counts from the last use where no write was seen, since this process
// has just begun. A tenth of jitter, by identity, keeps a fleet from being written in one burst.
func (e *entry) writeAt(interval time.Duration, now time.Time) time.Time {
	for fingerprint := range e.pending {
		if !everUsed(e.recorded, fingerprint) {
			return now
		}
	}
	last := e.written
	if used := latest(e.recorded); used.After(last) {
		last = used
	}
	return last.Add(interval + timing.Jitter(string(e.uid), interval/10))
}
