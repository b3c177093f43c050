// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package controller keeps true what ClientIdentities ask for. Every pass over one identity reads: observe
// (the cache), decide (pure packages), apply (the writes, in an order that is safe to cut at any point),
// report (one status write, only where something changed).
package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/cluster"
)

// Options are what an installer decides for all identities.
type Options struct {
	// SecretNamespaces are the namespaces that Secrets may be published in.
	SecretNamespaces []string
	// DefaultSecretNamespace is used where spec.secret.namespace is empty.
	DefaultSecretNamespace string
	// ClusterName names the cluster in kubeconfigs.
	ClusterName string
	// MaxTTL bounds the lifetime asked of signers; zero means no bound.
	MaxTTL time.Duration
	// AllowedSigners are the signers that certificates may be asked of.
	AllowedSigners []string
	// Spread is the time over which many identities are spread that have the same reason to act.
	Spread time.Duration
	// SlowLook is how often to look whether something is gone that no watch of ours tells of; zero means
	// every minute.
	SlowLook time.Duration
}

// Reconciler reconciles ClientIdentities.
type Reconciler struct {
	// Client reads from caches, and waits until they have seen this process's own writes.
	client.Client
	// Live reads and writes past the caches. Secrets are read and written by it alone, so that no cache
	// ever holds a key.
	Live client.Client
	// Prover proves credentials before they are published.
	Prover Prover
	// Cluster says what kubeconfigs point at.
	Cluster *cluster.Facts
	// Events records events about identities.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Options are what the installer decided.
	Options Options

	pending   *pendingRequests
	issuers   *issuers
	unwritten unwritten
	// renewals spreads renewals on request.
	renewals *renewRequests
}

// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities,verbs=get;list;watch
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/status,verbs=patch
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/finalizers,verbs=update

// pass is one look at one identity.
type pass struct {
	*Reconciler

	// identity is as the cache has it. It is not changed.
	identity *v1alpha1.ClientIdentity
	// status is what will be reported.
	status v1alpha1.ClientIdentityStatus
	now    time.Time
	// next is when to look again at the latest; zero where nothing is due.
	next time.Time

	// requestHash identifies the certificate that the spec asks for.
	requestHash string
	// published is set where a whole credential is in place, whether it is still valid or not.
	published bool
	// upToDate is set where the published credential answers the spec and stands where it should.
	upToDate bool
	// narrowing is set where bindings may be taken away, and nothing may be given.
	narrowing bool
	// outOfTime names the bindings whose time has not come, or is over.
	outOfTime []string
	// quiet is set while a request that was just made waits for its signer: not worth a status write yet.
	quiet bool
	// capped is set where renewing the published certificate would gain no time.
	capped bool
	// superseded is set where the signer uses another CA by now.
	superseded bool
	// untrusted is when the certificate is issued again because its CA is not accepted any more; zero where it is.
	untrusted time.Time
}

// Reconcile looks at one identity and does what is to be done now.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	identity := &v1alpha1.ClientIdentity{}
	if err := r.Get(ctx, request.NamespacedName, identity); err != nil {
		if apierrors.IsNotFound(err) {
			r.pending.forget(request.Name)
			r.renewals.forget(request.Name)
			r.unwritten.forget(request.Name)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("read ClientIdentity %q: %w", request.Name, err)
	}
	p := &pass{Reconciler: r, identity: identity, status: r.unwritten.statusOf(identity), now: r.Clock.Now()}
	if reason, message := p.accessEnd(); reason != "" {
		done, err := p.withdraw(ctx)
		return p.reportWithdrawal(ctx, reason, message, done, err)
	}
	if err := p.observe(ctx); err != nil {
		return p.report(ctx, err, p.takeAway(ctx, err))
	}
	// Bindings first: where a revocation changed their subject, the old credential loses its rights before
	// the new one is asked for. What stands in the way of a binding never stops a renewal.
	bindErr := p.bind(ctx)
	credentialErr := p.provide(ctx)
	return p.report(ctx, credentialErr, bindErr)
}

// wakeAt asks for another look at t, where nothing is due earlier. A time that has come asks for nothing, since this
// very pass looks: what could not be done now would be tried again without a pause.
func (p *pass) wakeAt(t time.Time) {
	if t.After(p.now) && (p.next.IsZero() || t.Before(p.next)) {
		p.next = t
	}
}

// active says whether a certificate that is still valid is published.
func (p *pass) active() bool {
	c := p.status.Certificate
	return p.published && c != nil && c.NotAfter != nil && p.now.Before(c.NotAfter.Time)
}
