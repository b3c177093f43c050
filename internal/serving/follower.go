// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// follower serves with what is in the Secret, from the moment at which the API server accepts it.
type follower struct {
	reader client.Reader
	secret types.NamespacedName
	// configuration names the webhook configuration that says what the API server accepts; none where it is empty.
	configuration string
	clock         clock.PassiveClock
	// lag is how long API servers may be behind with that.
	lag time.Duration
	// heard is the last certificate in the Secret that the configuration trusted, and since when.
	heard seen

	mu     sync.RWMutex
	served *pair
	trusts []trust
	// refused is why the Secret's certificate was not taken the last time; nothing where it was.
	refused string
	// unasked is that no configuration lets the API server ask, as was told the last time.
	unasked bool
}

// GetCertificate is for tls.Config.
func (f *follower) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	served, _ := f.state()
	if served == nil {
		return nil, errors.New("there is no certificate to serve with yet")
	}
	return served.certificate, nil
}

// Ready returns nil where the API server accepts what is served.
func (f *follower) Ready() error {
	served, trusts := f.state()
	return accepts(trusts, served, f.clock.Now())
}

func (f *follower) state() (*pair, []trust) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.served, f.trusts
}

// Reconcile looks at the Secret and the webhook configuration.
func (f *follower) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	trusts, err := f.trusted(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	stored, refused, err := f.stored(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := f.clock.Now()
	before, _ := f.state()
	var wait time.Duration
	if stored != nil && accepts(trusts, stored, now) == nil {
		wait = max(0, f.heard.since(stored.leaf.Raw, now).Add(f.lag).Sub(now))
	} else {
		f.heard = seen{}
	}
	served := choose(stored, before, trusts, wait == 0, now)
	if served.same(stored) {
		wait = 0
	} else if err := accepts(trusts, stored, now); stored != nil && err != nil {
		refused = err.Error()
	}
	f.tell(ctx, before, served, refused)
	f.tellUnasked(ctx, len(trusts) == 0 && f.configuration != "")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.served, f.trusts, f.refused = served, trusts, refused
	return reconcile.Result{RequeueAfter: wait}, nil
}

// stored returns the certificate in the Secret, or why there is none.
func (f *follower) stored(ctx context.Context) (*pair, string, error) {
	secret := &corev1.Secret{}
	if err := f.reader.Get(ctx, f.secret, secret); apierrors.IsNotFound(err) {
		return nil, "it does not exist: it comes with the operator's manifests, or from what else keeps the certificate", nil
	} else if err != nil {
		return nil, "", fmt.Errorf("read Secret %s: %w", f.secret, err)
	}
	stored, why := read(secret)
	return stored, why, nil
}

// trusted returns what the API server checks the certificate with; nothing where no configuration says so.
func (f *follower) trusted(ctx context.Context) ([]trust, error) {
	if f.configuration == "" {
		return nil, nil
	}
	configuration := newConfiguration()
	if err := f.reader.Get(ctx, types.NamespacedName{Name: f.configuration}, configuration); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read ValidatingWebhookConfiguration %q: %w", f.configuration, err)
	}
	return trustsOf(configuration)
}

// tell logs what has changed.
func (f *follower) tell(ctx context.Context, before, served *pair, refused string) {
	logger := log.FromContext(ctx).WithValues("secret", f.secret)
	if served != nil && !served.same(before) {
		logger.Info("serving with the certificate in the Secret", "notAfter", served.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if refused == "" || refused == f.refused {
		return
	}
	if served == nil {
		logger.Info("there is no certificate to serve with yet", "why", refused)
	} else {
		logger.Info("the certificate in the Secret is not served: the one before it goes on", "why", refused)
	}
}

// tellUnasked logs where nobody checks who asks for which identity, and where that has changed.
func (f *follower) tellUnasked(ctx context.Context, unasked bool) {
	logger := log.FromContext(ctx).WithValues("configuration", f.configuration)
	switch {
	case unasked && !f.unasked:
		logger.Info("WARNING: the API server does not ask the operator about identities, since the ValidatingWebhookConfiguration is missing or empty: " +
			"whoever may create them can become anybody. Apply the operator's manifests again")
	case f.unasked && !unasked:
		logger.Info("the API server asks the operator about identities")
	}
	f.unasked = unasked
}
