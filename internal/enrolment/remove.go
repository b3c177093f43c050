// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enrolment

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
)

// Remove deletes every ServiceAccount of an identity, also the one that the status speaks of where somebody took our labels off it. It
// returns a problem while somebody's finalizer keeps one. Confirm is asked before anything is deleted.
func (a *Accounts) Remove(ctx context.Context, identity *v1alpha1.ClientIdentity, ref *v1alpha1.EnrolmentReference, confirm func(context.Context) error) error {
	if ref != nil {
		live := NewMetadata()
		err := a.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, live)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			// One where the operator may not look any more goes with the identity; no status speaks of it, so that no token counts.
		case err != nil:
			return fmt.Errorf("read ServiceAccount %s/%s: %w", ref.Namespace, ref.Name, err)
		case metav1.IsControlledBy(live, identity):
			if err := a.removeSeen(ctx, live, confirm); err != nil {
				return err
			}
		}
	}
	return a.removeOthers(ctx, identity, nil, confirm)
}

// removeOthers deletes the ServiceAccounts of an identity but for one, restored ones too, and returns a problem while one is kept.
func (a *Accounts) removeOthers(ctx context.Context, identity *v1alpha1.ClientIdentity, keep *metav1.PartialObjectMetadata, confirm func(context.Context) error) error {
	owned, err := a.owned(ctx, identity)
	if err != nil {
		return err
	}
	for i := range owned {
		if keep != nil && owned[i].UID == keep.UID {
			continue
		}
		// The list is what the cache has; a single read knows what this process deleted.
		seen := NewMetadata()
		err := a.Cached.Get(ctx, client.ObjectKeyFromObject(&owned[i]), seen)
		if apierrors.IsNotFound(err) || (err == nil && seen.UID != owned[i].UID) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the metadata of ServiceAccount %s/%s: %w", owned[i].Namespace, owned[i].Name, err)
		}
		if err := a.removeSeen(ctx, seen, confirm); err != nil {
			return err
		}
	}
	return nil
}

func (a *Accounts) removeSeen(ctx context.Context, seen *metav1.PartialObjectMetadata, confirm func(context.Context) error) error {
	if seen.DeletionTimestamp != nil {
		return a.held(seen)
	}
	if err := confirm(ctx); err != nil {
		return err
	}
	if err := a.remove(ctx, seen); err != nil {
		return err
	}
	if len(seen.Finalizers) > 0 {
		return a.held(seen)
	}
	return nil
}

// owned returns the metadata of the ServiceAccounts whose controller is an identity, and of those that were restored from a backup of it.
func (a *Accounts) owned(ctx context.Context, identity *v1alpha1.ClientIdentity) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	for _, key := range dependent.Keys(identity) {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(Kind + "List"))
		if err := a.Cached.List(ctx, &list, client.MatchingFields{dependent.IndexOwner: key}); err != nil {
			return nil, fmt.Errorf("list the metadata of ServiceAccounts: %w", err)
		}
		found = append(found, list.Items...)
	}
	return found, nil
}
