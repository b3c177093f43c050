package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// IssuerWatch finds out when the API server drops a CA. The list of client CAs that a cluster publishes only grows, so
// a CA counts as dropped when a credential that it issued is refused: one is proven for each CA, every now and
// then and whenever that list changes.
type IssuerWatch struct {
	*Reconciler
	// Interval is the time between two looks.
	Interval time.Duration
	// ListChanged is told when the published list of client CAs has changed.
	ListChanged <-chan struct{}
}

// Start looks until the context ends. It is a Runnable of the manager, on the leader alone.
func (w *IssuerWatch) Start(ctx context.Context) error {
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

// look proves one credential for each CA that issued a published certificate.
func (w *IssuerWatch) look(ctx context.Context) error {
	var list v1alpha1.ClientIdentityList
	if err := w.List(ctx, &list, client.DisableReadYourWritesConsistency); err != nil {
		return fmt.Errorf("list identities: %w", err)
	}
	now := w.Clock.Now()
	oldest := map[issuerKey]*v1alpha1.ClientIdentity{}
	for i := range list.Items {
		identity := &list.Items[i]
		c := identity.Status.Certificate
		if c == nil || identity.Status.SecretRef == nil || c.NotAfter == nil || c.IssuedAt == nil || !now.Before(c.NotAfter.Time) ||
			!w.issuers.refusedSince(c).IsZero() {
			continue
		}
		// Where CAs have one name and no key identifier, the oldest certificate is the one of the old CA.
		if best := oldest[issuerOf(c)]; best == nil || c.IssuedAt.Before(best.Status.Certificate.IssuedAt) {
			oldest[issuerOf(c)] = identity
		}
	}
	issuers := make([]issuerKey, 0, len(oldest))
	for issuer := range oldest {
		issuers = append(issuers, issuer)
	}
	slices.SortFunc(issuers, func(a, b issuerKey) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.keyID, b.keyID)) })
	for _, issuer := range issuers {
		refused, err := w.refused(ctx, oldest[issuer])
		if err != nil {
			return err
		}
		if refused {
			log.FromContext(ctx).Info("the API server no longer accepts certificates of a CA: issuing them again", "issuer", issuer.name, "authorityKeyID", issuer.keyID)
			w.issuers.refuse(issuer, now)
		}
	}
	return nil
}

// refused says whether the API server refuses the published credential of an identity.
func (w *IssuerWatch) refused(ctx context.Context, identity *v1alpha1.ClientIdentity) (bool, error) {
	ref := identity.Status.SecretRef
	secret := &corev1.Secret{}
	if err := w.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret); err != nil {
		// What is not there cannot be proven: its own pass sees to it.
		return false, client.IgnoreNotFound(err)
	}
	p := &pass{Reconciler: w.Reconciler, identity: identity, status: identity.Status}
	if _, problem := p.check(secret); problem != "" || secret.UID != ref.UID {
		return false, nil
	}
	_, err := w.Prover.WhoAmI(ctx, secret.Data[v1alpha1.CertificateKey], secret.Data[v1alpha1.PrivateKeyKey])
	if apierrors.IsUnauthorized(err) {
		return true, nil
	}
	return false, err
}
