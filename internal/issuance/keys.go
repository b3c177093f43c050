// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"crypto"
	"runtime"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/problem"
)

// keys makes private keys. An RSA key of 4096 bits takes a second of a CPU, and more: as many workers that make some hold up
// everybody. So those are made beside the passes, in the order in which they were asked for, and so few at a time that half of the
// CPUs are left.
type keys struct {
	generate func(v1alpha1.PrivateKey) (crypto.Signer, error)
	clock    clock.PassiveClock
	atOnce   int

	mu      sync.Mutex
	made    func(identity string)
	making  int
	waiting []*keyOrder
	byName  map[string]*keyOrder
}

// keyOrder is a key that is being made, or was made and is not used yet.
type keyOrder struct {
	name   string
	uid    types.UID
	policy v1alpha1.PrivateKey
	since  time.Time

	done bool
	key  crypto.Signer
	err  error
}

func newKeys(now clock.PassiveClock) *keys {
	return &keys{
		generate: certificate.GenerateKey, clock: now, atOnce: max(1, runtime.GOMAXPROCS(0)/2),
		made: func(string) {}, byName: map[string]*keyOrder{},
	}
}

// For returns a new key for an identity: the same one until it is forgotten. Of one that is being made it returns since when, and no key.
func (k *keys) For(identity *v1alpha1.ClientIdentity) (key crypto.Signer, since time.Time, err error) {
	policy := identity.Spec.PrivateKey
	if policy.Algorithm != v1alpha1.RSA {
		key, err = k.generate(policy)
		return key, since, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	order := k.byName[identity.Name]
	if order == nil || order.uid != identity.UID || order.policy.Algorithm != policy.Algorithm || order.policy.Size != policy.Size {
		order = &keyOrder{name: identity.Name, uid: identity.UID, policy: policy, since: k.clock.Now()}
		k.byName[identity.Name] = order
		k.waiting = append(k.waiting, order)
		if k.making < k.atOnce {
			k.making++
			go k.make()
		}
	}
	if order.done && order.err != nil {
		delete(k.byName, identity.Name) // the next pass tries again
	}
	return order.key, order.since, order.err
}

// make makes keys until nobody waits for one.
func (k *keys) make() {
	for order := k.next(); order != nil; order = k.next() {
		key, err := k.generate(order.policy)
		k.mu.Lock()
		order.key, order.err, order.done = key, err, true
		made, wanted := k.made, k.byName[order.name] == order
		k.mu.Unlock()
		if wanted {
			made(order.name)
		}
	}
}

// next returns the key that is to be made next, or nil where there is none, and one less are made at a time.
func (k *keys) next() *keyOrder {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.waiting) > 0 {
		order := k.waiting[0]
		k.waiting[0], k.waiting = nil, k.waiting[1:]
		if k.byName[order.name] == order {
			return order
		}
	}
	k.making--
	return nil
}

// forget drops the key of the identity of that name: it is used, or not wanted any more.
func (k *keys) forget(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byName, name)
}

// KeysMade has each identity told of by name whose key has been made.
func (r *Requests) KeysMade(tell func(identity string)) {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	r.keys.made = tell
}

// NewKey returns a new key for an identity, or what came of it where there is none yet: the pass ends, and another one follows when the
// key is there.
func (r *Requests) NewKey(identity *v1alpha1.ClientIdentity) (crypto.Signer, *Outcome) {
	key, since, err := r.keys.For(identity)
	switch tell := since.Add(quietTime); {
	case err != nil:
		return nil, &Outcome{Err: err}
	case key != nil:
		return key, nil
	case r.clock.Now().Before(tell):
		return nil, &Outcome{Quiet: true, Next: tell}
	}
	return nil, &Outcome{Err: problem.NewWaiting(v1alpha1.ReasonPending, 0, "waiting for a private key: those of RSA take long, and few are made at a time")}
}
