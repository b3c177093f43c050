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

// stream creates identities, one after the other in each of some workers, until it is stopped.
type stream struct {
	prefix string
	stop   chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex
	created []string
	lost    []error
}

const (
	streamWorkers = 4
	// streamPause is between two creates of a worker, so that as many as there are get their credentials meanwhile.
	streamPause = 100 * time.Millisecond
)

// startStream begins to create identities. The context of the suite bounds it.
func startStream(prefix string) *stream {
	s := &stream{prefix: prefix, stop: make(chan struct{})}
	for worker := range streamWorkers {
		s.done.Go(func() {
			for i := 0; ; i++ {
				s.create(fmt.Sprintf("%s-%d-%05d", prefix, worker, i))
				select {
				case <-s.stop:
					return
				case <-ctx.Done():
					return
				case <-time.After(streamPause):
				}
			}
		})
	}
	return s
}

func (s *stream) create(name string) {
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	err := admin.Create(ctx, identity)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.lost = append(s.lost, fmt.Errorf("%s, after %d: %w", time.Now().Format(time.TimeOnly), len(s.created), err))
		return
	}
	s.created = append(s.created, name)
}

// count is how many it has created.
func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.created)
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
	AddReportEntry("creates", fmt.Sprintf("%d, of which %d failed", len(s.created)+len(s.lost), len(s.lost)))
	Expect(errors.Join(s.lost...)).NotTo(HaveOccurred())
}

// ready waits until every identity that it created has its credential.
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
		Expect(found).To(Equal(len(s.created)), "nothing that was created is gone")
		return waiting
	}).WithTimeout(10 * time.Minute).WithPolling(time.Second).Should(BeEmpty())
}

// becomesReady creates an identity and waits until it has its credential.
func becomesReady(name string) {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	Expect(admin.Create(ctx, identity)).To(Succeed())
	Eventually(func() bool {
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(identity), identity)).To(Succeed())
		return meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue())
}
