// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/proof"
)

// leases is an API server with a Lease, that counts the writes and may fail.
type leases struct {
	client.Client
	writes  int
	failing error
}

func newLeases(t *testing.T) *leases {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := coordinationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	l := &leases{}
	l.Client = fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return errors.Join(l.failing, c.Get(ctx, key, o, opts...))
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			l.writes++
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			l.writes++
			return c.Update(ctx, o, opts...)
		},
	}).Build()
	return l
}

// replica returns the stream of one of several replicas.
func (l *leases) replica(clock *clocktesting.FakePassiveClock) *Stream {
	l.failing = nil
	return NewStream(l, clock, Options{Silence: time.Hour, Namespace: "client-identity-system"})
}

func TestSinceWhenUsesAreNoticed(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	l := newLeases(t)
	one, other := l.replica(clock), l.replica(clock)
	sync := func(s *Stream) {
		t.Helper()
		if err := s.sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, s *Stream, want access.Observation) {
		t.Helper()
		if diff := cmp.Diff(want, s.Observed(clock.Now())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	hour := func(h float64) time.Time { return start.Add(time.Duration(h * float64(time.Hour))) }

	expect("before the Lease is read", one, access.Observation{Unknown: true})
	sync(one)
	expect("before anything is heard", one, access.Observation{})
	if l.writes != 0 {
		t.Error("nothing was heard, and the Lease is written")
	}
	for h := 1.0; h <= 48; h += 0.5 {
		clock.SetTime(hour(h))
		one.heartbeat(clock.Now())
		sync(one)
	}
	expect("two days later", one, access.Observation{Since: hour(1), Until: hour(48)})
	sync(other)
	expect("another replica, which is told nothing", other, access.Observation{Since: hour(1), Until: hour(48)})

	writes := l.writes
	for range 10 {
		sync(one)
	}
	if l.writes != writes {
		t.Error("the Lease is written although nothing was heard")
	}

	clock.SetTime(hour(49))
	expect("an hour of silence", one, access.Observation{Since: hour(1), Until: hour(48)})
	clock.SetTime(hour(49.1))
	expect("more of it", one, access.Observation{})
	clock.SetTime(hour(50))
	restarted := l.replica(clock)
	expect("a new process", restarted, access.Observation{Unknown: true})
	sync(restarted)
	expect("that has read the Lease", restarted, access.Observation{})
	restarted.heartbeat(hour(50))
	sync(restarted)
	expect("and hears something: it counts anew", restarted, access.Observation{Since: hour(50), Until: hour(50)})

	clock.SetTime(hour(50.5))
	one.heartbeat(hour(50.5))
	other.heartbeat(hour(50.4))
	sync(one)
	sync(other)
	expect("two that hear", other, access.Observation{Since: hour(50), Until: hour(50.5)})

	clock.SetTime(hour(20))
	behind := l.replica(clock)
	sync(behind)
	expect("a Lease of a clock that was ahead", behind, access.Observation{})

	clock.SetTime(hour(50.6))
	l.failing = errors.New("no")
	if one.sync(t.Context()) == nil {
		t.Error("an error is not told")
	}
	expect("an API server that does not answer", one, access.Observation{Since: hour(50), Until: hour(50.5)})
}

func TestOnlyProofsThatComeBackAreHeard(t *testing.T) {
	h, _ := world(t)
	var heard time.Time
	h.heartbeat = func(at time.Time) { heard = at }
	if code := serve(h, request(post(t, auditEvent(1, 0), auditEvent(9, 0)))); code != http.StatusOK || !heard.IsZero() {
		t.Errorf("code %d, heard %s of uses", code, heard)
	}
	proven := func(e *auditv1.Event) {
		e.Verb, e.UserAgent, e.ObjectRef = "create", proof.UserAgent, &auditv1.ObjectReference{Resource: "selfsubjectreviews"}
	}
	if serve(h, request(post(t, auditEvent(9, 0, proven), auditEvent(1, 7*time.Second, proven), auditEvent(1, time.Second, proven)))); !heard.Equal(start.Add(7 * time.Second)) {
		t.Errorf("heard %s", heard)
	}
	if serve(h, request(post(t, auditEvent(1, time.Hour, proven)))); !heard.Equal(start.Add(time.Minute)) {
		t.Errorf("heard %s of a clock that is ahead", heard)
	}
	heard = time.Time{}
	token := func(e *auditv1.Event) {
		proven(e)
		e.User.Extra["authentication.kubernetes.io/credential-id"] = []string{"JTI=1"}
	}
	if serve(h, request(post(t, auditEvent(1, 0, token)))); !heard.IsZero() {
		t.Errorf("heard %s of a token", heard)
	}
}
