// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package bulkhead

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
)

// hanging answers after ten seconds where the path has "slow" in it, and at once elsewhere.
type hanging struct{}

func (hanging) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.Contains(request.URL.Path, "slow") {
		time.Sleep(10 * time.Second)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// send sends a request and returns how long that took.
func send(ctx context.Context, t *testing.T, through http.RoundTripper, method, path string) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	response, err := through.RoundTrip(httptest.NewRequestWithContext(ctx, method, path, http.NoBody))
	if err == nil {
		_ = response.Body.Close()
	}
	return time.Since(start), err
}

const (
	slowSecrets  = "/api/v1/namespaces/slow/secrets"
	otherSecrets = "/api/v1/namespaces/team-a/secrets"
	slowBindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/slow/rolebindings/alice"
)

// full returns a bulkhead for two with two writes of Secrets in namespace slow, which have just begun.
func full(t *testing.T) (*Bulkhead, http.RoundTripper) {
	b := New(2, clock.RealClock{})
	through := b.Wrap(hanging{})
	for range 2 {
		go func() {
			if _, err := send(t.Context(), t, through, http.MethodPost, slowSecrets); err != nil {
				t.Error(err)
			}
		}()
	}
	synctest.Wait()
	return b, through
}

// known returns of how many places something is remembered.
func (b *Bulkhead) known() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.places)
}

func TestAPlaceThatHangs(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *Bulkhead, http.RoundTripper){
		"refuses whoever comes after a while, and then at once": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			for _, want := range []time.Duration{patience, 0} {
				took, err := send(t.Context(), t, through, http.MethodPost, slowSecrets)
				if err == nil || took != want {
					t.Errorf("after %s instead of %s: %v", took, want, err)
				}
			}
		},
		"lets in whoever comes when somebody has left": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			time.Sleep(10*time.Second - patience/2)
			if took, err := send(t.Context(), t, through, http.MethodPost, "/api/v1/namespaces/team-a/secrets"); err != nil || took != 0 {
				t.Errorf("after %s: %v", took, err)
			}
			time.Sleep(patience)
			if _, err := send(t.Context(), t, through, http.MethodPost, slowSecrets); err != nil {
				t.Error(err)
			}
		},
		"keeps no other place": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			if took, err := send(t.Context(), t, through, http.MethodPost, otherSecrets); err != nil || took != 0 {
				t.Errorf("after %s: %v", took, err)
			}
		},
		"keeps other resources of the namespace, too": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			if took, err := send(t.Context(), t, through, http.MethodPatch, slowBindings); err == nil || took > patience {
				t.Errorf("after %s: %v", took, err)
			}
		},
		"keeps no deletion": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			if took, err := send(t.Context(), t, through, http.MethodDelete, slowBindings); err != nil || took != 10*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
		},
		"keeps no reads, nothing that is in no namespace, and no event": func(t *testing.T, b *Bulkhead, through http.RoundTripper) {
			events := "/apis/events.k8s.io/v1/namespaces/slow/events"
			for range 2 {
				go func() { _, _ = send(t.Context(), t, through, http.MethodPost, events) }()
			}
			synctest.Wait()
			if known := b.known(); known != 1 {
				t.Errorf("%d places are bounded, of which no worker waits for events", known)
			}
			for method, path := range map[string]string{
				http.MethodGet: slowSecrets, http.MethodPatch: "/apis/clientidentity.dev/v1alpha1/clientidentities/slow/status", http.MethodPost: events,
			} {
				if _, err := send(t.Context(), t, through, method, path); err != nil {
					t.Error(err)
				}
			}
		},
		"lets go who gives up": func(t *testing.T, _ *Bulkhead, through http.RoundTripper) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if took, err := send(ctx, t, through, http.MethodPost, slowSecrets); !errors.Is(err, context.Canceled) || took != 0 {
				t.Errorf("after %s: %v", took, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, through := full(t)
				test(t, b, through)
				time.Sleep(time.Minute)
				if known := b.known(); known > 0 {
					t.Errorf("%d places are remembered that nobody is in", known)
				}
			})
		})
	}
}

func TestWhoWaitsGetsInWhenSomebodyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(1, clock.RealClock{})
		leave, err := b.Enter(t.Context(), "a place")
		if err != nil {
			t.Fatal(err)
		}
		go func() { time.Sleep(patience / 2); leave() }()
		start := time.Now()
		leave, err = b.Enter(t.Context(), "a place")
		if err != nil || time.Since(start) != patience/2 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		leave()
	})
}
