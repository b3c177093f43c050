// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// stream creates identities all the time, from several sides, without storing them: each is admitted by the webhook.
type stream struct {
	mu       sync.Mutex
	admitted int
	lost     []error
	end      chan struct{}
	done     sync.WaitGroup
}

// startStream starts a stream, until expectNothingLost or the end of the spec.
func startStream() *stream {
	s := &stream{end: make(chan struct{})}
	for range 4 {
		s.done.Go(func() {
			for {
				select {
				case <-s.end:
					return
				case <-time.After(5 * time.Millisecond):
				}
				identity := &v1alpha1.ClientIdentity{}
				identity.GenerateName = "streamed-"
				identity.Spec.Username = "streamed"
				err := admin.Create(ctx, identity, client.DryRunAll)
				s.mu.Lock()
				if err != nil {
					s.lost = append(s.lost, err)
				} else {
					s.admitted++
				}
				s.mu.Unlock()
			}
		})
	}
	DeferCleanup(s.stop)
	return s
}

func (s *stream) stop() {
	select {
	case <-s.end:
	default:
		close(s.end)
	}
	s.done.Wait()
}

// expectNothingLost waits until some more are admitted, and ends the stream.
func (s *stream) expectNothingLost() {
	GinkgoHelper()
	s.expectMore()
	s.stop()
	Expect(s.lost).To(BeEmpty(), "%d were admitted", s.admitted)
	AddReportEntry("admitted", s.admitted)
}

// expectMore waits until some more are admitted.
func (s *stream) expectMore() {
	GinkgoHelper()
	before := s.count()
	Eventually(s.count).Should(BeNumerically(">", before+50))
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitted
}
