// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	lag         = 5 * time.Second
	webhookName = "client-identity-operator-webhook.ns.svc"
)

var key = types.NamespacedName{Namespace: "ns", Name: SecretName}

// world is a Secret and a webhook configuration, with a leader and a replica that follows, in a time of its own.
type world struct {
	*testing.T
	client   client.Client
	clock    *clocktesting.FakePassiveClock
	follower *follower
	leader   *rotation
	// trusted is what API servers have seen, and when.
	trusted []bundleSince
}

type bundleSince struct {
	trusts []trust
	since  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	configuration := newConfiguration()
	configuration.SetName("operator")
	configuration.Object["webhooks"] = []any{map[string]any{
		"name": "a.b.c", "unknown": "kept",
		"clientConfig": map[string]any{"service": map[string]any{"name": ServiceName, "namespace": "ns", "path": "/"}},
	}}
	w := &world{T: t, clock: clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	scheme := runtime.NewScheme() // without the kind of the configuration, whose fields it does not know
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}, configuration).Build()
	w.follower = &follower{reader: w.client, secret: key, configuration: "operator", clock: w.clock, lag: lag}
	w.newLeader()
	return w
}

// newLeader lets another replica lead, which knows nothing but what it follows.
func (w *world) newLeader() {
	w.leader = &rotation{
		reader: w.client, writer: w.client, secret: key, configuration: "operator", clock: w.clock, lag: lag,
		maker: newMaker([]string{webhookName, "localhost"}), served: func() *pair { served, _ := w.follower.state(); return served },
	}
}

// pass lets the leader do one step, and the replica follow. It returns when one of the two looks again.
func (w *world) pass() time.Duration {
	w.Helper()
	result, err := w.leader.Reconcile(w.quiet(), reconcile.Request{})
	if err != nil {
		w.Fatal(err)
	}
	if again := w.follow(); again > 0 {
		return min(again, result.RequeueAfter)
	}
	return result.RequeueAfter
}

// follow lets the replica follow, and returns when it looks again; zero means that it waits for a change.
func (w *world) follow() time.Duration {
	w.Helper()
	result, err := w.follower.Reconcile(w.quiet(), reconcile.Request{})
	if err != nil {
		w.Fatal(err)
	}
	trusts, err := trustsOf(w.configuration())
	if err != nil {
		w.Fatal(err)
	}
	w.trusted = append(w.trusted, bundleSince{trusts, w.clock.Now()})
	return result.RequeueAfter
}

// quiet is a context without a log.
func (w *world) quiet() context.Context { return log.IntoContext(w.Context(), logr.Discard()) }

// settle goes on until nothing happens any more. With answered, all API servers accept what is served at each moment, those that are
// behind as well.
func (w *world) settle(answered bool) {
	w.Helper()
	for range 30 {
		secret, configuration := w.secret(), w.configuration()
		again := w.pass()
		if answered {
			w.mustBeAccepted()
		}
		if again == lookAgain && w.secret().ResourceVersion == secret.ResourceVersion && w.configuration().GetResourceVersion() == configuration.GetResourceVersion() {
			if !answered {
				w.trusted = w.trusted[len(w.trusted)-1:] // long ago
			}
			return
		}
		if again < lookAgain {
			w.clock.SetTime(w.clock.Now().Add(again))
		} else {
			w.clock.SetTime(w.clock.Now().Add(time.Millisecond))
		}
	}
	w.Fatal("never settles")
}

func (w *world) mustBeAccepted() {
	w.Helper()
	now := w.clock.Now()
	served, _ := w.follower.state()
	for i, seen := range w.trusted {
		last := i == len(w.trusted)-1
		if !last && !w.trusted[i+1].since.After(now.Add(-lag)) {
			continue // every API server has seen a later one
		}
		if err := accepts(seen.trusts, served, now); err != nil {
			w.Fatalf("with what is published since %s: %v", seen.since, err)
		}
	}
}

func (w *world) secret() *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{}
	if err := w.client.Get(w.Context(), key, secret); err != nil {
		w.Fatal(err)
	}
	return secret
}

func (w *world) configuration() *unstructured.Unstructured {
	w.Helper()
	configuration := newConfiguration()
	if err := w.client.Get(w.Context(), types.NamespacedName{Name: "operator"}, configuration); err != nil {
		w.Fatal(err)
	}
	return configuration
}

// bundle returns the published CAs.
func (w *world) bundle() []*x509.Certificate {
	w.Helper()
	configs, err := clientConfigs(w.configuration())
	if err != nil {
		w.Fatal(err)
	}
	return bundleOf(configs[0])
}

func (w *world) publish(bundle ...*x509.Certificate) {
	w.Helper()
	configuration := w.configuration()
	configs, err := clientConfigs(configuration)
	if err != nil {
		w.Fatal(err)
	}
	setBundle(configs[0], bundle)
	if err := w.client.Update(w.Context(), configuration); err != nil {
		w.Fatal(err)
	}
}

// change changes the Secret.
func (w *world) change(how func(data map[string][]byte)) {
	w.Helper()
	secret := w.secret()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	how(secret.Data)
	if err := w.client.Update(w.Context(), secret); err != nil {
		w.Fatal(err)
	}
}

// made returns a CA, and the data of a Secret with it and a certificate for a name.
func (w *world) made(name string) (*x509.Certificate, map[string][]byte) {
	w.Helper()
	data := map[string][]byte{}
	maker := newMaker([]string{name})
	ca, err := maker.newAuthority(data, w.clock.Now())
	if err == nil {
		err = maker.newCertificate(data, ca, w.clock.Now())
	}
	if err != nil {
		w.Fatal(err)
	}
	return ca.Cert, data
}

func (w *world) mustServe(secret *corev1.Secret) {
	w.Helper()
	want, why := read(secret)
	if want == nil {
		w.Fatal(why)
	}
	served, _ := w.follower.state()
	if !served.same(want) {
		w.Error("something else is served than what is in the Secret")
	}
	if err := w.follower.Ready(); err != nil {
		w.Error(err)
	}
}

// mustPublish checks that one CA is published: that of the Secret.
func (w *world) mustPublish(secret *corev1.Secret) {
	w.Helper()
	if bundle := w.bundle(); !slices.EqualFunc(bundle, parseAll(secret.Data[caCertKey])[:1], (*x509.Certificate).Equal) {
		w.Errorf("%d CAs are published", len(bundle))
	}
}

func sameKeys(a, b map[string][]byte, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return !bytes.Equal(a[key], b[key]) })
}

func copied(secret *corev1.Secret) map[string][]byte { return maps.Clone(secret.Data) }
