// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// lookAgain is how often it is looked whether something is to be renewed.
	lookAgain = 12 * time.Hour
	// afterConflict is when to look again where the caches were behind.
	afterConflict = 100 * time.Millisecond
	// keptUnknown is how many CAs stay published where it is not known which are needed.
	keptUnknown = 3
	// fieldOwner is who writes the bundle, for those who apply on the server's side.
	fieldOwner = "client-identity-operator"
)

// rotation keeps a CA and a certificate of it in the Secret, and the CA in the webhook configuration. A CA is replaced in steps, so
// that the API server accepts what is served at any time: the new one is made and published beside the old one, replicas serve with the
// new certificate once API servers must have heard of it, and then the old CA goes. Each step is one write, and what comes next shows in
// the two objects, whoever leads then.
type rotation struct {
	reader        client.Reader
	writer        client.Writer
	secret        types.NamespacedName
	configuration string
	maker         *maker
	clock         clock.PassiveClock
	// lag is how long API servers, and replicas, may be behind.
	lag time.Duration
	// served returns what this replica serves with, nil for nothing.
	served func() *pair

	// used is the last certificate in the Secret whose CA was published, and since when.
	used seen
}

// Reconcile does the next step.
func (r *rotation) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	secret, configuration, err := r.observe(ctx)
	if err != nil || secret == nil {
		return reconcile.Result{}, err
	}
	again, err := r.step(ctx, secret, configuration, r.clock.Now())
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: afterConflict}, nil
	}
	return reconcile.Result{RequeueAfter: again}, err
}

// observe returns the Secret, nil where there is none, and the webhook configuration, without webhooks where there is none.
func (r *rotation) observe(ctx context.Context) (*corev1.Secret, *unstructured.Unstructured, error) {
	secret := &corev1.Secret{}
	if err := r.reader.Get(ctx, r.secret, secret); apierrors.IsNotFound(err) {
		log.FromContext(ctx).Info("there is no Secret for the webhook's certificate: apply the operator's manifests again", "secret", r.secret)
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("read Secret %s: %w", r.secret, err)
	}
	if !secret.DeletionTimestamp.IsZero() {
		return nil, nil, nil
	}
	configuration := newConfiguration()
	if r.configuration == "" {
		return secret, configuration, nil
	}
	if err := r.reader.Get(ctx, types.NamespacedName{Name: r.configuration}, configuration); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("read ValidatingWebhookConfiguration %q: %w", r.configuration, err)
	}
	return secret, configuration, nil
}

// step does what comes next, and returns when to look again.
func (r *rotation) step(ctx context.Context, secret *corev1.Secret, configuration *unstructured.Unstructured, now time.Time) (time.Duration, error) {
	configs, err := clientConfigs(configuration)
	if err != nil {
		return 0, err
	}
	data := maps.Clone(secret.Data)
	if data == nil {
		data = map[string][]byte{}
	}
	ca, err := r.maker.authority(data, now)
	if err != nil {
		if ca, err = r.maker.newAuthority(data, now); err != nil {
			return 0, err
		}
		if err := r.maker.newCertificate(data, ca, now); err != nil {
			return 0, err
		}
		return lookAgain, r.write(ctx, secret, data, "made a CA and a certificate for the webhook")
	}
	if !all(configs, func(bundle []*x509.Certificate) bool { return contains(bundle, ca.Cert) }) {
		bundle := append([]*x509.Certificate{ca.Cert}, r.needed(configs, ca.Cert, now)...)
		return lookAgain, r.publish(ctx, configuration, bundle, "published the CA of the webhook's certificate")
	}
	if !r.maker.good(data, now) {
		if err := r.maker.newCertificate(data, ca, now); err != nil {
			return 0, err
		}
		return lookAgain, r.write(ctx, secret, data, "made a certificate for the webhook")
	}
	// Replicas wait as long as API servers may be behind, and may be as late themselves.
	followed := r.used.since(data[corev1.TLSCertKey], now).Add(2 * r.lag)
	if all(configs, func(bundle []*x509.Certificate) bool { return len(bundle) == 1 }) {
		return lookAgain, nil
	}
	if followed.After(now) {
		return followed.Sub(now), nil
	}
	return lookAgain, r.publish(ctx, configuration, []*x509.Certificate{ca.Cert}, "withdrew what was published beside the CA of the webhook's certificate")
}

// needed returns the published CAs but for one, as far as what is served needs them. A replica that has not served with one of them
// does not know which others do, and keeps a few.
func (r *rotation) needed(configs []map[string]any, ca *x509.Certificate, now time.Time) []*x509.Certificate {
	var others []*x509.Certificate
	for _, config := range configs {
		for _, other := range bundleOf(config) {
			if !other.Equal(ca) && !now.After(other.NotAfter) && !contains(others, other) {
				others = append(others, other)
			}
		}
	}
	served := r.served()
	for i, other := range others {
		if served != nil && served.issuedBy(other, now) {
			return others[i : i+1]
		}
	}
	return others[:min(len(others), keptUnknown)]
}

func (r *rotation) write(ctx context.Context, secret *corev1.Secret, data map[string][]byte, done string) error {
	secret = secret.DeepCopy()
	secret.Data = data
	if err := r.writer.Update(ctx, secret, client.FieldOwner(fieldOwner)); err != nil {
		return fmt.Errorf("write Secret %s: %w", r.secret, err)
	}
	log.FromContext(ctx).Info(done, "secret", r.secret)
	return nil
}

func (r *rotation) publish(ctx context.Context, configuration *unstructured.Unstructured, bundle []*x509.Certificate, done string) error {
	configuration = configuration.DeepCopy()
	configs, err := clientConfigs(configuration)
	if err != nil {
		return err
	}
	for _, config := range configs {
		setBundle(config, bundle)
	}
	if err := r.writer.Update(ctx, configuration, client.FieldOwner(fieldOwner)); err != nil {
		return fmt.Errorf("write ValidatingWebhookConfiguration %q: %w", r.configuration, err)
	}
	log.FromContext(ctx).Info(done, "configuration", r.configuration)
	return nil
}

// all says whether the bundles of all webhooks are so.
func all(configs []map[string]any, so func([]*x509.Certificate) bool) bool {
	return !slices.ContainsFunc(configs, func(config map[string]any) bool { return !so(bundleOf(config)) })
}
