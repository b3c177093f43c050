// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/tls"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killed is what a killed process panics with here.
type killed struct{ what string }

// TestNothingIsLostWhereverItIsKilled kills the process at each step of a renewal, before and after it took effect, and lets Kubernetes
// clean up its requests, or not.
func TestNothingIsLostWhereverItIsKilled(t *testing.T) {
	everyStep(t, func(_ *world, what string) error { panic(killed{what}) })
}

// TestNothingIsLostWhateverFails lets each step fail: a full disk, a lost connection.
func TestNothingIsLostWhateverFails(t *testing.T) {
	everyStep(t, func(_ *world, what string) error { return fmt.Errorf("%s: %w", what, syscall.ENOSPC) })
}

func everyStep(t *testing.T, fault func(w *world, what string) error) {
	for _, cleaned := range []bool{false, true} {
		for at, more := 1, true; more; at++ {
			t.Run(fmt.Sprintf("cleaned up %t, at step %d", cleaned, at), func(t *testing.T) {
				w := enrolled(t)
				_, first := w.serve()
				w.step(17 * time.Hour)
				steps := 0
				step := func(what string) error {
					if steps++; steps == at {
						return fault(w, what)
					}
					return nil
				}
				w.cluster.step, w.files.step = step, step
				func() {
					defer func() {
						if r := recover(); r != nil {
							if _, ok := r.(killed); !ok {
								panic(r)
							}
						}
					}()
					w.serve()
				}()
				w.cluster.step, w.files.step = nil, nil
				more = steps >= at
				if cleaned {
					w.cluster.clean()
				}
				w.step(time.Hour)
				w.serve()
				w.step(time.Minute)
				_, last := w.serve()
				if last == first {
					t.Fatalf("it was not renewed; it said: %q", w.said)
				}
				w.newest(last)
				w.step(17 * time.Hour)
				_, next := w.serve()
				w.newest(next)
			})
			if at > 60 {
				t.Fatal("a renewal has no end")
			}
		}
	}
}

func TestManyProcessesRenewOnce(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			served, err := w.Serve(t.Context(), "alice", uid, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := tls.X509KeyPair(served.Certificate, served.Key); err != nil {
				t.Error("certificate and key are not of each other")
			}
		})
	}
	wait.Wait()
	if len(w.cluster.requests) != 2 || w.cluster.suspended != "" {
		t.Errorf("%d requests in all, %q", len(w.cluster.requests), w.cluster.suspended)
	}
}
