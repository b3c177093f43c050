// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/internal/timing"
)

// Watch finds out when the API server drops a CA. The list of client CAs that a cluster publishes only grows, so
// a CA counts as dropped when a credential that it issued is refused: one is proven for each CA, every now and
// then and whenever that list changes.
type Watch struct {
	// Reader reads identities from a cache.
	Reader client.Reader
	// Registry is told of CAs that are refused.
	Registry *Registry
	// Prover proves credentials.
	Prover proof.Prover
	// Witness returns certificate and key (PEM) of the published credential of an identity; nothing where its Secret is gone
	// or not as it was published: its own pass sees to that.
	Witness func(ctx context.Context, identity *v1alpha1.ClientIdentity) (certificatePEM, keyPEM []byte, err error)
	// Clock tells the time.
	Clock clock.PassiveClock
	// Interval is the time between two looks.
	Interval time.Duration
	// ListChanged is told when the published list of client CAs has changed.
	ListChanged <-chan struct{}
}

// Start looks until the context ends. It is a Runnable of the manager, on the leader alone.
func (w *Watch) Start(ctx context.Context) error {
	ticker := time.NewTicker(w.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-w.ListChanged:
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot find out which CAs the API server accepts; trying again later")
		}
	}
}

// witnesses is how many credentials of a CA are tried until one says something: Secrets may be gone or damaged.
const witnesses = 10

// look proves one credential for each CA that issued a published certificate.
func (w *Watch) look(ctx context.Context) error {
	var list v1alpha1.ClientIdentityList
	if err := w.Reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil { // all there are, and nothing is changed
		return fmt.Errorf("list identities: %w", err)
	}
	now := w.Clock.Now()
	// What ends sooner than clocks may differ is not proven: it would be refused for its age, and its whole CA with it.
	soonest := now.Add(timing.ClockSkew)
	issued := map[key][]*v1alpha1.ClientIdentity{}
	for i := range list.Items {
		identity := &list.Items[i]
		c := identity.Status.Certificate
		if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
			continue // its keys are on devices
		}
		if c == nil || identity.Status.SecretRef == nil || c.NotAfter == nil || c.RequestTime == nil || !soonest.Before(c.NotAfter.Time) ||
			!w.Registry.RefusedSince(c).IsZero() {
			continue
		}
		issued[keyOf(c)] = append(issued[keyOf(c)], identity)
	}
	var errs []error
	for _, issuer := range slices.SortedFunc(maps.Keys(issued), key.compare) {
		refused, err := w.refusesAny(ctx, issued[issuer])
		if err != nil {
			errs = append(errs, err)
		}
		if refused {
			log.FromContext(ctx).Info("the API server no longer accepts certificates of a CA: issuing them again", "issuer", issuer.name, "authorityKeyID", issuer.keyID)
			w.Registry.refuse(issuer, now)
		}
	}
	return errors.Join(errs...)
}

// refusesAny says whether the API server refuses the credentials of those identities, which have one issuer: the first
// that can be proven tells. Where CAs have one name and no key identifier, the oldest certificate is the one of the old CA.
func (w *Watch) refusesAny(ctx context.Context, identities []*v1alpha1.ClientIdentity) (bool, error) {
	slices.SortFunc(identities, func(a, b *v1alpha1.ClientIdentity) int {
		return cmp.Or(a.Status.Certificate.RequestTime.Compare(b.Status.Certificate.RequestTime.Time), cmp.Compare(a.Name, b.Name))
	})
	var unread []error
	for _, identity := range identities[:min(len(identities), witnesses)] {
		certificatePEM, keyPEM, err := w.Witness(ctx, identity)
		if err != nil {
			unread = append(unread, err)
		}
		if certificatePEM == nil {
			continue
		}
		_, err = w.Prover.WhoAmI(ctx, certificatePEM, keyPEM)
		switch {
		case apierrors.IsUnauthorized(err):
			return true, nil
		case apierrors.IsForbidden(err): // who that is was accepted
			return false, nil
		}
		return false, err
	}
	return false, errors.Join(unread...)
}
