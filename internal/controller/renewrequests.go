// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// renewRate is how many renewals a second are made on request. Kubernetes' signer signs 20 certificates a
	// second by default, and others need it, too.
	renewRate = 10
	// renewBurst is how many are made at once.
	renewBurst = 16
)

// renewRequests spreads renewals that are requested of many identities at once, as before a CA is dropped. One
// alone is made at once.
type renewRequests struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	// slots are the times given out, by the name of the identity.
	slots map[string]renewSlot
}

type renewSlot struct {
	request string
	at      time.Time
}

func newRenewRequests() *renewRequests {
	return &renewRequests{limiter: rate.NewLimiter(renewRate, renewBurst), slots: map[string]renewSlot{}}
}

// slot returns when the request of an identity is to be answered: the same time whenever it is asked for. Another
// request of an identity that waits takes its place: somebody who asks in a loop does not make all others wait.
func (r *renewRequests) slot(identity, request string, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot, given := r.slots[identity]
	if !given || (slot.request != request && !now.Before(slot.at)) {
		slot.at = now.Add(r.limiter.ReserveN(now, 1).DelayFrom(now))
	}
	slot.request = request
	r.slots[identity] = slot
	return slot.at
}

// forget drops what is known of an identity: its request was answered, or it is gone.
func (r *renewRequests) forget(identity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.slots, identity)
}
