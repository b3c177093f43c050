// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

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

// Turns spreads renewals that are requested of many identities at once, as before a CA is dropped. One
// alone is made at once.
type Turns struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	// byName are the times given out, by the name of the identity.
	byName map[string]turn
}

type turn struct {
	request string
	at      time.Time
}

// NewTurns returns turns of which none is given out.
func NewTurns() *Turns {
	return &Turns{limiter: rate.NewLimiter(renewRate, renewBurst), byName: map[string]turn{}}
}

// Next returns when the request of an identity is to be answered: the same time whenever it is asked for. Another
// request of an identity that waits takes its place: somebody who asks in a loop does not make all others wait.
func (t *Turns) Next(identity, request string, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	given, known := t.byName[identity]
	if !known || (given.request != request && !now.Before(given.at)) {
		given.at = now.Add(t.limiter.ReserveN(now, 1).DelayFrom(now))
	}
	given.request = request
	t.byName[identity] = given
	return given.at
}

// Forget drops what is known of an identity: its request was answered, or it is gone.
func (t *Turns) Forget(identity string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, identity)
}
