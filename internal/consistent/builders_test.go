// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// lagging is a client whose cache shows what it is told to, on top of an API server that takes all writes.
type lagging struct {
	*Client
	t     *testing.T
	api   client.Client
	clock *clocktesting.FakePassiveClock
	uids  atomic.Int64

	mu sync.Mutex
	// cache is what it shows of Roles, and failure what it answers instead.
	cache   map[client.ObjectKey]*rbacv1.Role
	failure error
	// refusal is what the API server answers to deletions.
	refusal error
	// during happens after a write was carried out and before it is answered.
	during func(written client.Object)
}

func newLagging(t *testing.T) *lagging {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(rbacv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	base := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.ClientIdentity{}).Build()
	l := &lagging{
		t: t, api: base, clock: clocktesting.NewFakePassiveClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), cache: map[client.ObjectKey]*rbacv1.Role{},
	}
	answered := func(object client.Object, err error) error {
		if err == nil && l.during != nil {
			l.during(object)
		}
		return err
	}
	l.Client = New(interceptor.NewClient(base, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			return l.read(key, object)
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.CreateOption) error {
			object.SetUID(types.UID(fmt.Sprintf("uid-%d", l.uids.Add(1))))
			return answered(object, c.Create(ctx, object, opts...))
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.UpdateOption) error {
			return answered(object, c.Update(ctx, object, opts...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.DeleteOption) error {
			if l.refusal != nil {
				return l.refusal
			}
			return answered(object, c.Delete(ctx, object, opts...))
		},
	}), l.clock, nil)
	return l
}

func (l *lagging) read(key client.ObjectKey, object client.Object) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch into, ok := object.(*rbacv1.Role); {
	case l.failure != nil:
		return l.failure
	case ok && l.cache[key] != nil:
		l.cache[key].DeepCopyInto(into)
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "roles"}, key.Name)
}

// shows makes the cache show an object as it is now, in a version.
func (l *lagging) shows(object *rbacv1.Role, version int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := object.DeepCopy()
	shown.ResourceVersion = strconv.Itoa(version)
	l.cache[client.ObjectKeyFromObject(object)] = shown
}

func (l *lagging) showsNone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cache)
}

// role returns the Role "team/reader" that gives a verb, changed by the options.
func role(verb string, changes ...func(*rbacv1.Role)) *rbacv1.Role {
	r := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "reader"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{verb}}}}
	for _, apply := range changes {
		apply(r)
	}
	return r
}

func withFinalizer(r *rbacv1.Role) { r.Finalizers = []string{"example.com/keep"} }

func withUID(uid types.UID) func(*rbacv1.Role) { return func(r *rbacv1.Role) { r.UID = uid } }

// created returns a Role that this client made and that its cache knows nothing of.
func (l *lagging) created(verb string, changes ...func(*rbacv1.Role)) *rbacv1.Role {
	l.t.Helper()
	r := role(verb, changes...)
	l.must(l.Create(l.t.Context(), r))
	return r
}

// updated returns the Role after this client made it give another verb.
func (l *lagging) updated(r *rbacv1.Role, verb string) *rbacv1.Role {
	l.t.Helper()
	after := r.DeepCopy()
	after.Rules[0].Verbs[0] = verb
	l.must(l.Update(l.t.Context(), after))
	return after
}

func (l *lagging) deleted(r *rbacv1.Role) {
	l.t.Helper()
	l.must(l.Delete(l.t.Context(), r.DeepCopy()))
}

// vanishes tells of a deletion as the watch does, and returns the requests that came of it.
func (l *lagging) vanishes(object client.Object) int {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	l.Watching(&handler.EnqueueRequestForObject{}).Delete(l.t.Context(), event.DeleteEvent{Object: object}, queue)
	return queue.Len()
}

func (l *lagging) step(d time.Duration) { l.clock.SetTime(l.clock.Now().Add(d)) }

func (l *lagging) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// expect compares what is read of the Role with the verb that it gives; "" = there is none.
func (l *lagging) expect(step, verb string) {
	l.t.Helper()
	got := &rbacv1.Role{}
	err := l.Get(l.t.Context(), client.ObjectKey{Namespace: "team", Name: "reader"}, got)
	switch {
	case verb == "" && !apierrors.IsNotFound(err):
		l.t.Errorf("%s: read %v (%v), want none", step, got.Rules, err)
	case verb != "" && (err != nil || got.Rules[0].Verbs[0] != verb):
		l.t.Errorf("%s: read %v (%v), want %q", step, got.Rules, err, verb)
	}
}
