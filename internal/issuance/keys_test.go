// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuance

import (
	"crypto"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// keyMaker makes keys, of which those of RSA take a second each, or as long as is said.
type keyMaker struct {
	*keys
	t     *testing.T
	takes time.Duration

	mu     sync.Mutex
	err    error
	most   int
	making int
	told   []string
}

func newKeyMaker(t *testing.T, atOnce int) *keyMaker {
	m := &keyMaker{keys: newKeys(clock.RealClock{}), t: t, takes: time.Second}
	t.Cleanup(func() { time.Sleep(time.Hour) }) // until nothing is being made
	m.keys.atOnce = atOnce
	m.keys.made = func(name string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.told = append(m.told, name)
	}
	m.keys.generate = func(k v1alpha1.PrivateKey) (crypto.Signer, error) {
		if k.Algorithm == v1alpha1.RSA {
			m.mu.Lock()
			m.making++
			m.most = max(m.most, m.making)
			m.mu.Unlock()
			time.Sleep(m.takes)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.making--
		}
		if m.err != nil {
			return nil, m.err
		}
		return certificate.GenerateKey(v1alpha1.PrivateKey{})
	}
	return m
}

func withKey(name string, algorithm v1alpha1.KeyAlgorithm, size int32) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid of " + name)}}
	identity.Spec.PrivateKey = v1alpha1.PrivateKey{Algorithm: algorithm, Size: size}
	return identity
}

func (m *keyMaker) of(name string, algorithm v1alpha1.KeyAlgorithm, size int32) crypto.Signer {
	m.t.Helper()
	key, _, err := m.For(withKey(name, algorithm, size))
	if err != nil {
		m.t.Errorf("%s: %v", name, err)
	}
	return key
}

// waitFor asks for a key, and waits until it was made.
func (m *keyMaker) waitFor(name string) {
	m.t.Helper()
	m.of(name, v1alpha1.RSA, 4096)
	time.Sleep(time.Second + 1)
	synctest.Wait()
}

func (m *keyMaker) expectTold(want ...string) {
	m.t.Helper()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.told, want) {
		m.t.Errorf("told of the keys of %v, and not of %v", m.told, want)
	}
}

func TestKeys(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"of RSA are made beside the passes, in the order of asking": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			for _, name := range []string{"a", "b", "c"} {
				if m.of(name, v1alpha1.RSA, 4096) != nil {
					t.Error("a key was there at once")
				}
			}
			m.expectTold()
			time.Sleep(time.Second + 1)
			m.expectTold("a")
			time.Sleep(2 * time.Second)
			m.expectTold("a", "b", "c")
		},
		"of RSA are made so many at a time": func(t *testing.T) {
			m := newKeyMaker(t, 2)
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				m.of(name, v1alpha1.RSA, 4096)
			}
			time.Sleep(2*time.Second + 1)
			synctest.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.most != 2 || len(m.told) != 4 {
				t.Errorf("%d were made at a time, and %d in two seconds", m.most, len(m.told))
			}
		},
		"of others are there at once, whoever waits": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			m.of("a", v1alpha1.RSA, 4096)
			if m.of("b", v1alpha1.ECDSA, 256) == nil || m.of("c", v1alpha1.Ed25519, 0) == nil {
				t.Error("no key")
			}
		},
		"are the same until they are used": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			m.waitFor("a")
			first := m.of("a", v1alpha1.RSA, 4096)
			if first == nil || m.of("a", v1alpha1.RSA, 4096) != first {
				t.Error("another key")
			}
			m.forget("a")
			if m.of("a", v1alpha1.RSA, 4096) != nil {
				t.Error("a used key")
			}
		},
		"of another size are others": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			m.of("a", v1alpha1.RSA, 4096)
			m.of("a", v1alpha1.RSA, 3072)
			time.Sleep(2*time.Second + 1)
			m.expectTold("a")
			if m.of("a", v1alpha1.RSA, 3072) == nil {
				t.Error("no key")
			}
		},
		"are not made for who does not wait any more": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			m.of("a", v1alpha1.RSA, 4096)
			m.of("b", v1alpha1.RSA, 4096)
			m.of("c", v1alpha1.RSA, 4096)
			m.forget("a")
			m.forget("b")
			time.Sleep(2*time.Second + 1)
			m.expectTold("c")
		},
		"that could not be made are tried again": func(t *testing.T) {
			m := newKeyMaker(t, 1)
			m.err = errors.New("no entropy")
			m.waitFor("a")
			if _, _, err := m.For(withKey("a", v1alpha1.RSA, 4096)); !errors.Is(err, m.err) {
				t.Errorf("got error %v", err)
			}
			m.err = nil
			m.waitFor("a")
			if m.of("a", v1alpha1.RSA, 4096) == nil {
				t.Error("no key")
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

func TestAPassDoesNotWaitForAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newKeyMaker(t, 1)
		r := &Requests{clock: clock.RealClock{}, open: newOpenRequests(), keys: m.keys}
		identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u0"}}
		identity.Spec.PrivateKey.Algorithm = v1alpha1.RSA
		m.takes = 2 * quietTime
		if key, none := r.NewKey(identity); key != nil || none == nil || !none.Quiet || !none.Next.Equal(time.Now().Add(quietTime)) {
			t.Errorf("at first: %v", none)
		}
		time.Sleep(quietTime)
		if key, none := r.NewKey(identity); key != nil || none == nil || none.Quiet || none.Err == nil {
			t.Errorf("after a while: %v", none)
		}
		time.Sleep(quietTime + 1)
		if key, none := r.NewKey(identity); key == nil || none != nil {
			t.Errorf("in the end: %v", none)
		}
	})
}
