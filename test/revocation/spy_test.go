// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/holder"
)

// spy is somebody with a leaked copy who reads the Secret again and again, in the hope of the next kubeconfig.
type spy struct {
	mu     sync.Mutex
	tries  int
	loot   []string
	stop   chan struct{}
	ended  chan struct{}
	closed sync.Once
}

// sendSpy reads the Secret of an identity with a copy until the end of the spec, or until it is caught.
func sendSpy(c *holder.Copy, name string) *spy {
	s := &spy{stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for {
			select {
			case <-s.stop:
				return
			default:
			}
			found, err := c.ReadSecret(ctx, secretKey(name))
			s.mu.Lock()
			s.tries++
			if err == nil && found.Fingerprint != c.Fingerprint {
				s.loot = append(s.loot, found.String())
			}
			s.mu.Unlock()
		}
	}()
	DeferCleanup(s.end)
	return s
}

func (s *spy) end() {
	s.closed.Do(func() { close(s.stop) })
	<-s.ended
}

// found returns what the spy has read that is not its own.
func (s *spy) found() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loot
}

// expectNothing ends the spying and checks that it was in vain.
func (s *spy) expectNothing() {
	GinkgoHelper()
	s.end()
	Expect(s.tries).To(BeNumerically(">", 10))
	Expect(s.loot).To(BeEmpty(), "the revoked copy has read kubeconfigs that are not its own")
}
