// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"errors"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// nothingElse matches a patch of status.lastUsed alone, for the version of the identity that it was computed from.
var nothingElse = regexp.MustCompile(`^\{"metadata":\{"resourceVersion":"\d+"\},"status":\{"lastUsed":\{[^}]*("certificates":\[[^\]]*\])?[^}]*\}\}\}$`)

// cluster is a fake API server with identities, and a writer that works for it.
type cluster struct {
	client.Client
	*writer
	handler *handler
	clock   *clocktesting.FakePassiveClock
	patches atomic.Int32
	// failing is what the next patch fails with.
	failing error
}

func newCluster(t *testing.T, identities ...*v1alpha1.ClientIdentity) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := &cluster{clock: clocktesting.NewFakePassiveClock(start.Add(time.Hour))}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.ClientIdentity{})
	for _, id := range identities {
		builder = builder.WithObjects(id)
	}
	c.Client = builder.WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			body, err := patch.Data(o)
			if err != nil {
				return err
			}
			if !nothingElse.Match(body) {
				t.Errorf("the patch is %s", body)
			}
			if err := c.failing; err != nil {
				c.failing = nil
				return err
			}
			c.patches.Add(1)
			return inner.SubResource(sub).Patch(ctx, o, patch, opts...)
		},
	}).Build()
	c.writer = newWriter(c.Client, time.Hour, c.clock)
	c.handler = newHandler(c.table, func(time.Time) {}, c.clock)
	for _, id := range identities {
		c.table.know(id, c.clock.Now())
	}
	return c
}

func (c *cluster) identity(t *testing.T, name string) *v1alpha1.ClientIdentity {
	t.Helper()
	id := &v1alpha1.ClientIdentity{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: name}, id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (c *cluster) post(t *testing.T, events ...auditv1.Event) {
	t.Helper()
	if code := serve(c.handler, request(post(t, events...))); code != 200 {
		t.Fatalf("code %d", code)
	}
}

func TestTenThousandEventsASecondCostOneWrite(t *testing.T) {
	c := newCluster(t, identity("alice", 1))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Start(ctx) }()
	const bodies, times, each = 5, 5, 400
	for n := range bodies {
		var events []auditv1.Event
		for i := range each {
			events = append(events, auditEvent(1, time.Duration(n*each+i)*time.Second))
		}
		body := post(t, events...)
		for range times {
			if code := serve(c.handler, request(body)); code != 200 {
				t.Fatalf("code %d", code)
			}
		}
	}
	for c.patches.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // in which another write would come
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := c.patches.Load(); got != 1 {
		t.Errorf("%d events cost %d writes", bodies*times*each, got)
	}
	if got := c.identity(t, "alice").Status.LastUsed; got == nil || got.Fingerprint != fingerprint(1) || got.SourceAddress != "203.0.113.7" || got.UserAgent != "kubectl/v1.36.3" {
		t.Errorf("lastUsed: %+v", got)
	}
}

func TestAWriteTouchesNothingElseAndUndoesNothing(t *testing.T) {
	c := newCluster(t, identity("alice", 2, 1))
	c.post(t, auditEvent(1, 0))

	t.Run("it is not made on top of what it has not seen", func(t *testing.T) {
		c.failing = apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("clientidentities").GroupResource(), "alice", errors.New("it was modified"))
		if err := c.write(t.Context(), "alice"); !apierrors.IsConflict(err) {
			t.Fatalf("got %v", err)
		}
		if len(c.table.take("alice", c.clock.Now())) != 1 {
			t.Error("what was not written is forgotten")
		}
	})

	reconciler := c.identity(t, "alice")
	reconciler.Status.GroupList = "developers"
	if err := c.Client.Status().Update(t.Context(), reconciler); err != nil {
		t.Fatal(err)
	}
	if err := c.write(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	got := c.identity(t, "alice")
	if got.Status.GroupList != "developers" || got.Status.LastUsed == nil || got.Status.LastUsed.Fingerprint != fingerprint(1) {
		t.Errorf("status: %+v", got.Status)
	}

	t.Run("what another replica wrote stays", func(t *testing.T) {
		other := newCluster(t, got)
		other.post(t, auditEvent(2, time.Second, func(e *auditv1.Event) { e.UserAgent, e.SourceIPs = "", nil }))
		if err := other.write(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		after := other.identity(t, "alice").Status.LastUsed
		if len(after.Certificates) != 2 || after.Fingerprint != fingerprint(2) || after.UserAgent != "" || after.SourceAddress != "" {
			t.Errorf("lastUsed: %+v", after)
		}
	})

	t.Run("one that is gone is no error", func(t *testing.T) {
		c.clock.SetTime(start.Add(3 * time.Hour))
		c.post(t, auditEvent(1, 2*time.Hour))
		if err := c.Delete(t.Context(), got); err != nil {
			t.Fatal(err)
		}
		if err := c.write(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
	})
}
