// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/secret"
)

// start is when the tests begin.
var start = time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)

const testNamespace = "client-identities"

// places are where Secrets are published.
var places = secret.Places{Namespaces: []string{testNamespace}, Default: testNamespace}

// world is an API server that can be made to fail, with a signer, and a reconciler that works on it. It shows what
// cannot be provoked on a real control plane; everything else is tested there.
type world struct {
	t *testing.T
	*Reconciler
	// api is the API server, past all failures.
	api   client.Client
	facts *cluster.Facts
	// restart makes the operator forget everything, as a crash does.
	restart func()
	// base is the API server without any of that.
	base client.WithWatch
	// stop ends what the operator does beside its passes.
	stop   func()
	clock  *clocktesting.FakePassiveClock
	events *events.FakeRecorder
	prover *fakeProver
	ca     *testCA
	// clientCAsChanged tells that the published list of client CAs has changed.
	clientCAsChanged chan struct{}

	// lag is how far API servers may be behind, for operators that are started from now on.
	lag time.Duration

	mu sync.Mutex
	// before may refuse a call such as "create CertificateSigningRequest"; after may lose its answer.
	before, after func(call string, object client.Object) error
	// calls counts the writes, and the reads past the cache ("live get Secret").
	calls map[string]int
	// signs is what the signer does with an approved request; nil leaves it.
	signs func(*certificatesv1.CertificateSigningRequest)
	// admin may do everything.
	admin string
	uids  int
}

// testScheme is small, and made once: the fake API server looks through all of it for most calls.
var testScheme = sync.OnceValue(func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, rbacv1.AddToScheme, certificatesv1.AddToScheme, v1alpha1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	return scheme
})

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := testScheme()
	w := &world{t: t, clock: clocktesting.NewFakePassiveClock(start), events: events.NewFakeRecorder(1000), calls: map[string]int{}, ca: newTestCA(t), stop: func() {}}
	w.prover, w.clientCAsChanged = &fakeProver{}, make(chan struct{}, 1)
	w.signs = w.ca.sign(w.clock, time.Hour)
	// The converters that it has otherwise parse the schema of all of Kubernetes, for each test.
	builder := fake.NewClientBuilder().WithScheme(scheme).WithTypeConverters(managedfields.NewDeducedTypeConverter()).
		WithStatusSubresource(&v1alpha1.ClientIdentity{}, &certificatesv1.CertificateSigningRequest{}).
		WithIndex(&v1alpha1.ClientIdentity{}, look.IndexUsername, look.UsernameOf).
		WithIndex(&v1alpha1.ClientIdentity{}, look.IndexBoundByName, look.BoundByName).
		WithIndex(&v1alpha1.ClientIdentity{}, indexNamespace, func(o client.Object) []string { return namespacesOf(places, o) })
	builder = builder.WithIndex(&corev1.Namespace{}, look.IndexLabels, look.LabelsOf)
	builder = builder.WithIndex(&certificatesv1.CertificateSigningRequest{}, issuance.IndexAbout, issuance.About)
	for _, object := range []client.Object{
		&rbacv1.RoleBinding{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{}, &corev1.Secret{}, &corev1.ServiceAccount{},
	} {
		builder = builder.WithIndex(object, dependent.IndexOwner, ownerIndex)
	}
	base := builder.Build()
	w.base = base
	w.facts = &cluster.Facts{Reader: base, Server: "https://api.example.com:6443", CA: w.ca.pem, Connection: &rest.Config{}}
	w.restart = func() { w.Reconciler = w.start(base) }
	w.restart()
	w.api = interceptor.NewClient(base, interceptor.Funcs{Delete: w.deleted})
	w.add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}})
	w.add(objects...)
	return w
}

// start returns a Reconciler that remembers nothing, and looks at all bindings for passes that ask for it. It has looked once.
func (w *world) start(base client.WithWatch) *Reconciler {
	w.stop()
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	w.stop = func() { stop(); <-ended }
	r := New(Dependencies{
		Cached: interceptor.NewClient(base, w.intercept("")), Live: interceptor.NewClient(base, w.intercept("live ")),
		Prover: w.prover, Cluster: w.facts, Events: w.events, Clock: w.clock, ClientCAsChanged: w.clientCAsChanged,
	}, Options{
		Places: places, ClusterName: "test", AllowedSigners: []string{certificatesv1.KubeAPIServerClientSignerName}, SlowLook: time.Minute, IssuerInterval: time.Hour, Lag: w.lag,
	})
	go func() {
		defer close(ended)
		r.bindings.writer.Look(ctx, w.clock, func(string) {})
	}()
	for waits := true; waits; {
		_, done := r.bindings.writer.ResidualAccess(ctx, binding.Wanted{Identity: identity("nobody")}, access.Holder{})
		waits = done.Waits
	}
	return r
}

// deleted deletes an object, and tells of it as the watches do.
func (w *world) deleted(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.DeleteOption) error {
	err := c.Delete(ctx, object, opts...)
	if err == nil {
		w.client.Watching(handler.Funcs{}).Delete(ctx, event.DeleteEvent{Object: object}, nil)
	}
	return err
}

// add puts objects into the API server, each with a UID.
func (w *world) add(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.identify(object)
		if err := w.api.Create(w.t.Context(), object); err != nil {
			w.t.Fatal(err)
		}
	}
}

// identify gives an object a UID, as the API server does.
func (w *world) identify(object client.Object) {
	if object.GetUID() == "" {
		w.uids++
		object.SetUID(types.UID(fmt.Sprintf("9f1c2d3e-4a5b-4c6d-8e7f-%012d", w.uids)))
	}
}

// intercept counts calls, and lets before and after fail them.
func (w *world) intercept(prefix string) interceptor.Funcs {
	call := func(verb string, object client.Object, do func() error) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		name := verb + " " + strings.TrimPrefix(fmt.Sprintf("%T", object)[strings.LastIndex(fmt.Sprintf("%T", object), ".")+1:], "*")
		w.calls[name]++
		if w.before != nil {
			if err := w.before(name, object); err != nil {
				return err
			}
		}
		if err := do(); err != nil {
			return err
		}
		if w.after != nil {
			return w.after(name, object)
		}
		return nil
	}
	funcs := interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.CreateOption) error {
			if review, ok := object.(*authorizationv1.SubjectAccessReview); ok {
				review.Status.Allowed = review.Spec.User == w.admin
				return call("create", object, func() error { return nil })
			}
			w.identify(object)
			return call("create", object, func() error { return c.Create(ctx, object, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.UpdateOption) error {
			return call("update", object, func() error { return c.Update(ctx, object, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return call("patch", object, func() error { return c.Patch(ctx, object, patch, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.DeleteOption) error {
			return call("delete", object, func() error { return c.Delete(ctx, object, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return call("patch "+name+" of", object, func() error { return c.SubResource(name).Patch(ctx, object, patch, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, object client.Object, _ ...client.SubResourceUpdateOption) error {
			return call("update "+name+" of", object, func() error {
				if csr, ok := object.(*certificatesv1.CertificateSigningRequest); ok && name == "approval" && w.signs != nil && approved(csr) {
					w.signs(csr)
				}
				return c.SubResource("status").Update(ctx, object)
			})
		},
	}
	if prefix != "" {
		funcs.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			return call(prefix+"get", object, func() error { return c.Get(ctx, key, object, opts...) })
		}
		funcs.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			w.mu.Lock()
			w.calls[fmt.Sprintf("%slist %T", prefix, list)]++
			w.mu.Unlock()
			return c.List(ctx, list, opts...)
		}
	}
	return funcs
}

func approved(csr *certificatesv1.CertificateSigningRequest) bool {
	return slices.ContainsFunc(csr.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
		return c.Type == certificatesv1.CertificateApproved
	})
}

// pass runs one pass over an identity.
func (w *world) pass(name string) (reconcile.Result, error) {
	return w.Reconcile(w.t.Context(), requestFor(name))
}

// passes runs as many passes as events of the API server would cause, whether they fail or not.
func (w *world) passes(name string, count int) *v1alpha1.ClientIdentity {
	w.t.Helper()
	for range count {
		_, _ = w.pass(name)
	}
	return w.get(name)
}

// ready runs passes until the identity is ready.
func (w *world) ready(name string) *v1alpha1.ClientIdentity {
	w.t.Helper()
	identity := w.passes(name, 4)
	expectCondition(w.t, &identity.Status, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	return identity
}

func (w *world) get(name string) *v1alpha1.ClientIdentity {
	w.t.Helper()
	identity := &v1alpha1.ClientIdentity{}
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Name: name}, identity); err != nil {
		w.t.Fatal(err)
	}
	return identity
}

// change changes an identity as a person does: a changed spec has another generation.
func (w *world) change(name string, change func(*v1alpha1.ClientIdentity)) {
	w.t.Helper()
	identity := w.get(name)
	change(identity)
	identity.Generation++
	if err := w.api.Update(w.t.Context(), identity); err != nil {
		w.t.Fatal(err)
	}
}

// exists says whether an object is in the API server.
func (w *world) exists(object client.Object, namespace, name string) bool {
	w.t.Helper()
	err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	return err == nil
}

// step lets time pass.
func (w *world) step(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// told returns the events that were recorded since it was asked last.
func (w *world) told() []string {
	var told []string
	for {
		select {
		case e := <-w.events.Events:
			told = append(told, e)
		default:
			return told
		}
	}
}

// expectCalls compares how often a call was made.
func (w *world) expectCalls(call string, want int) {
	w.t.Helper()
	if got := w.calls[call]; got != want {
		w.t.Errorf("%s: %d times, want %d", call, got, want)
	}
}

// failing returns a hook that fails the first calls of that name.
func failing(call string, times int, err error) func(string, client.Object) error {
	return func(got string, _ client.Object) error {
		if got == call && times > 0 {
			times--
			return err
		}
		return nil
	}
}
