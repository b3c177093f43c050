// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// stream creates identities, one after the other in each of some workers, until it is stopped. Most are asked for in a dry run: the
// webhook is asked, too, and nothing is stored. So they are dense enough to hit the moment in which a pod goes, and a few hundred
// stored ones suffice to see that each gets its credential.
type stream struct {
	prefix string
	stop   chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex
	stored  int
	allowed int // in a dry run
	lost    []error
}

const (
	storing, trying = 2, 4 // workers
	// They pause after each.
	storingPause, tryingPause = 100 * time.Millisecond, 5 * time.Millisecond
)

// startStream begins to create identities. The context of the suite bounds it.
func startStream(prefix string) *stream {
	s := &stream{prefix: prefix, stop: make(chan struct{})}
	for worker := range storing {
		s.work(worker, &s.stored, storingPause)
	}
	for worker := range trying {
		s.work(storing+worker, &s.allowed, tryingPause, client.DryRunAll)
	}
	return s
}

// work creates identities, and counts them.
func (s *stream) work(worker int, counter *int, pause time.Duration, options ...client.CreateOption) {
	s.done.Go(func() {
		for i := 0; ; i++ {
			identity := &v1alpha1.ClientIdentity{}
			identity.Name = fmt.Sprintf("%s-%d-%05d", s.prefix, worker, i)
			identity.Spec.Username = identity.Name + "@example.com"
			err := admin.Create(ctx, identity, options...)
			s.mu.Lock()
			if err == nil {
				*counter++
			} else {
				s.lost = append(s.lost, fmt.Errorf("%s, after %d: %w", time.Now().Format(time.TimeOnly), s.stored+s.allowed, err))
			}
			s.mu.Unlock()
			select {
			case <-s.stop:
				return
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	})
}

// count is how many were created or would have been.
func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored + s.allowed
}

// more waits until it has created some more.
func (s *stream) more(n int) {
	GinkgoHelper()
	before := s.count()
	Eventually(s.count).Should(BeNumerically(">=", before+n))
}

// end stops it and expects that none was lost.
func (s *stream) end() {
	GinkgoHelper()
	close(s.stop)
	s.done.Wait()
	AddReportEntry("creates", fmt.Sprintf("%d stored, %d in a dry run, %d lost", s.stored, s.allowed, len(s.lost)))
	Expect(errors.Join(s.lost...)).NotTo(HaveOccurred())
}

// ready waits until every identity that it stored has its credential.
func (s *stream) ready() {
	GinkgoHelper()
	Eventually(func() (waiting []string) {
		list := &v1alpha1.ClientIdentityList{}
		Expect(admin.List(ctx, list)).To(Succeed())
		found := 0
		for _, identity := range list.Items {
			if !strings.HasPrefix(identity.Name, s.prefix+"-") {
				continue
			}
			if found++; !meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady) {
				waiting = append(waiting, identity.Name)
			}
		}
		Expect(found).To(Equal(s.stored), "nothing that was stored is gone")
		return waiting
	}).WithTimeout(10 * time.Minute).WithPolling(time.Second).Should(BeEmpty())
}

// becomesReady creates an identity and waits until it has its credential.
func becomesReady(name string) {
	GinkgoHelper()
	Expect(create(name)).To(Succeed())
	awaitReady(name)
}

// create makes an identity.
func create(name string) error {
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	return admin.Create(ctx, identity)
}

// awaitReady waits until an identity is ready.
func awaitReady(name string) {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	Eventually(func() bool {
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(identity), identity)).To(Succeed())
		return meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue())
}
