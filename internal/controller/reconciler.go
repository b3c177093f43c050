// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package controller reconciles ClientIdentities. A pass reads what a decision needs into one look, lets the phases act on it
// (bindings, then the credential), each of which returns an outcome, has the report compute the status from look and outcomes,
// and writes it once. It is the only package that knows all of them; it wires them, and sets the watches.
package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/issuer"
	"github.com/clientidentity/operator/internal/lag"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/statuses"
)

// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities,verbs=get;list;watch
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/status,verbs=patch
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/finalizers,verbs=update

// Options are what an installer decides for all identities.
type Options struct {
	// Places are where Secrets may be published.
	Places secret.Places
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
	// Lag is how far API servers may be behind with role bindings: as long the next kubeconfig waits after a revocation, where its
	// holder may read it.
	Lag time.Duration
	// IssuerInterval is how often to look whether the API server still accepts the CAs that issue.
	IssuerInterval time.Duration
	// Deniable gives each certificate the groups that the authorization webhook knows it by.
	Deniable bool
	// DormantAfter is how long nobody uses an identity that is called dormant; zero means that none is.
	DormantAfter time.Duration
}

// defaultSlowLook is the default of Options.SlowLook.
const defaultSlowLook = time.Minute

// Dependencies are what a Reconciler works with.
type Dependencies struct {
	// Cached reads from caches and writes.
	Cached client.Client
	// Live reads and writes past the caches. Secrets are read and written by it alone, so that no cache
	// ever holds a key.
	Live client.Client
	// Small reads as Live does, and fails where an answer is large; nil where large pages of a list are never asked for.
	Small client.Reader
	// Prover proves credentials before they are published.
	Prover proof.Prover
	// Cluster says what kubeconfigs point at.
	Cluster *cluster.Facts
	// Events records events about identities.
	Events events.EventRecorder
	// Metrics counts what statuses tell; nil counts nothing.
	Metrics statuses.Metrics
	// Clock tells the time.
	Clock clock.PassiveClock
	// ClientCAsChanged tells that the published list of client CAs has changed, so that the CAs that issue are looked at.
	ClientCAsChanged <-chan struct{}
	// Observed says since when uses of certificates are noticed; nil means that they are not.
	Observed func(now time.Time) access.Observation
	// Reach says how far a revocation reaches, empty while that is not known; nil means no further than bindings.
	Reach func() v1alpha1.RevocationReach
	// ReachChanged tells that this is another one.
	ReachChanged <-chan event.GenericEvent
	// Slim drops from an object what the caches do not keep; nil drops nothing.
	Slim func(client.Object)
}

// Reconciler reconciles ClientIdentities.
type Reconciler struct {
	observer   look.Observer
	bindings   bindings
	credential credential
	accounts   *enrolment.Accounts
	devices    devices
	withdrawal withdrawal
	statuses   *statuses.Writer

	client   *consistent.Client
	clock    clock.PassiveClock
	issuers  *issuer.Registry
	everyone chan event.GenericEvent
	places   secret.Places

	observed     func(now time.Time) access.Observation
	dormantAfter time.Duration
	reach        func() v1alpha1.RevocationReach
	reachChanged <-chan event.GenericEvent

	issuerWatch *issuer.Watch
}

// New returns a Reconciler.
func New(d Dependencies, options Options) *Reconciler {
	if d.Observed == nil {
		d.Observed = func(time.Time) access.Observation { return access.Observation{} }
	}
	if d.Reach == nil {
		d.Reach = func() v1alpha1.RevocationReach { return v1alpha1.ReachBindings }
	}
	if options.SlowLook == 0 {
		options.SlowLook = defaultSlowLook
	}
	everyone := make(chan event.GenericEvent, 1)
	issuers := issuer.NewRegistry(func() {
		select {
		case everyone <- event.GenericEvent{Object: &v1alpha1.ClientIdentity{}}:
		default: // one is on its way
		}
	})
	known := consistent.New(d.Cached, d.Clock, d.Slim)
	secrets := &secret.Store{Cached: known, Live: d.Live, Places: options.Places, SlowLook: options.SlowLook}
	accounts := &enrolment.Accounts{Cached: known, Live: d.Live, Allow: options.Places.Allow, SlowLook: options.SlowLook}
	writer := &binding.Writer{Client: known, Live: d.Live, Small: d.Small, SlowLook: options.SlowLook}
	requests := issuance.NewRequests(known, d.Live, d.Prover, d.Clock)
	requestsOfHolders := devices{requests: issuance.NewHolders(known, d.Live), maxTTL: options.MaxTTL, allowedSigners: options.AllowedSigners}
	return &Reconciler{
		observer: look.Observer{Reader: known, Namesakes: &look.Namesakes{Reader: known}, Secrets: secrets, Requests: requests, Accounts: accounts, Cluster: d.Cluster, ClusterName: options.ClusterName},
		bindings: bindings{writer: writer, live: d.Live, protected: options.Places.Protected(), lag: lag.New(options.Lag)},
		credential: credential{
			secrets: secrets, requests: requests, turns: issuance.NewTurns(), issuers: issuers, live: d.Live,
			maxTTL: options.MaxTTL, allowedSigners: options.AllowedSigners, window: options.Spread, deniable: options.Deniable,
		},
		devices:    requestsOfHolders,
		accounts:   accounts,
		withdrawal: withdrawal{bindings: writer, live: d.Live, secrets: secrets, requests: requests, accounts: accounts, reach: d.Reach},
		statuses:   statuses.NewWriter(known, d.Live, d.Events, d.Metrics),
		observed:   d.Observed, dormantAfter: options.DormantAfter,
		reach: d.Reach, reachChanged: d.ReachChanged,
		client: known, clock: d.Clock, issuers: issuers, everyone: everyone, places: options.Places,
		issuerWatch: &issuer.Watch{
			Reader: known, Registry: issuers, Prover: d.Prover, Witness: secrets.Witness, Clock: d.Clock,
			Interval: options.IssuerInterval, ListChanged: d.ClientCAsChanged,
		},
	}
}

// IssuerWatch returns what notices that the API server drops a CA.
func (r *Reconciler) IssuerWatch() *issuer.Watch { return r.issuerWatch }

// Reconcile looks at one identity and does what is to be done now.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	identity := &v1alpha1.ClientIdentity{}
	if err := r.client.Get(ctx, request.NamespacedName, identity); err != nil {
		if apierrors.IsNotFound(err) {
			r.bindings.forget(request.Name)
			r.credential.forget(request.Name)
			r.devices.requests.Forget(request.Name)
			r.statuses.Forget(request.Name)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("read ClientIdentity %q: %w", request.Name, err)
	}
	now, status := r.clock.Now(), r.statuses.Known(identity)
	dormancy := access.DormancyOf(&status, r.observed(now), r.dormantAfter, now)
	if ending := access.End(identity, now); ending != nil && !ending.Unfounded(&status, dormancy) {
		return r.withdraw(ctx, identity, status, *ending, now)
	}
	seen := r.observer.Observe(ctx, identity, holder.Published(identity, status), now)
	// Bindings first: where a revocation changed their subject, the old credential loses its rights before
	// the new one is asked for. What stands in the way of a binding never stops a renewal.
	bindings := r.bindings.apply(ctx, seen)
	enrol := r.enrol(ctx, seen)
	credential := r.keep(ctx, seen, bindings)
	devices := r.devices.settle(ctx, seen)
	stale := bindings.stale || enrol.stale || credential.stale || devices.stale
	after := report.Compute(report.Input{
		Identity: identity, Dormancy: dormancy, Reach: r.reach(), Before: status, Now: now, Stale: stale || statuses.Interrupted(ctx), Waits: bindings.waits,
		Bindings: bindings.Bindings, Enrolment: enrol.Enrolment, Credential: credential.Credential, Devices: devices.Devices,
	})
	return r.statuses.Conclude(ctx, identity, after, statuses.Conclusion{
		Now: now, Stale: stale,
		Next: []time.Time{bindings.next, credential.next, devices.next, dormancy.Next, report.NextChange(identity, &after, now)},
		Errs: []error{credential.err, enrol.err, devices.err, bindings.err}, Events: devices.events,
	})
}

// keep is the phase of the credential: of the key that the operator makes, or of what holders need to make theirs.
func (r *Reconciler) keep(ctx context.Context, seen look.Look, bindings bindingsOutcome) credentialOutcome {
	if seen.Identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		return r.credential.publishKeyless(ctx, seen)
	}
	rights := bindings.rights
	if rights == nil {
		rights = bindings.readers
	}
	return r.credential.advance(ctx, seen, rights, bindings.publishFrom)
}

// withdraw takes the access away.
func (r *Reconciler) withdraw(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, ending access.Ending, now time.Time,
) (reconcile.Result, error) {
	devices := r.devices.end(ctx, identity, status, now)
	outcome := r.withdrawal.apply(ctx, identity, status, ending, look.Doubtful(identity, &status, r.bindings.first(identity)), now)
	if outcome.CredentialGone {
		r.credential.forget(identity.Name)
	}
	outcome.Devices = devices.Changes
	return r.statuses.Conclude(ctx, identity, report.ComputeWithdrawn(outcome.Withdrawal), statuses.Conclusion{
		Now: now, Stale: outcome.stale || devices.stale, Next: []time.Time{devices.next, outcome.next}, Errs: []error{outcome.err, devices.err}, Events: devices.events,
	})
}
