// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// RemoveOthers deletes the Secrets of an identity at another place than keep, restored ones too. Keep is what the status of
// the API server speaks of: a Secret that it speaks of is not deleted before it speaks of another one, so that no credential
// is lost between the two.
func (s *Store) RemoveOthers(ctx context.Context, identity *v1alpha1.ClientIdentity, keep *v1alpha1.SecretReference) error {
	return s.removeOwned(ctx, identity, func(found *metav1.PartialObjectMetadata) bool {
		return keep != nil && keep.Namespace == found.Namespace && keep.Name == found.Name
	})
}

// removeOwned deletes the Secrets of an identity that are not spared.
func (s *Store) removeOwned(ctx context.Context, identity *v1alpha1.ClientIdentity, spare func(*metav1.PartialObjectMetadata) bool) error {
	owned, err := s.owned(ctx, identity)
	if err != nil {
		return err
	}
	for i := range owned {
		if spare(&owned[i]) {
			continue
		}
		if err := s.remove(ctx, &owned[i]); err != nil {
			return err
		}
	}
	return nil
}

// RemoveOutOfReach deletes a Secret that was replaced where the operator may publish no longer: the cache does not tell of
// it. Where it may not delete it either, the Secret goes with the identity.
func (s *Store) RemoveOutOfReach(ctx context.Context, former Published) error {
	if !former.Exists() || s.Places.Allow(former.Meta.GetNamespace()) {
		return nil
	}
	if err := s.remove(ctx, former.Meta); err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	return nil
}

// Any says whether there may be a Secret that Withdraw deletes.
func (s *Store) Any(ctx context.Context, identity *v1alpha1.ClientIdentity, ref *v1alpha1.SecretReference) (bool, error) {
	owned, err := s.owned(ctx, identity)
	return ref != nil || len(owned) > 0, err
}

// Withdraw deletes the published Secret, also where somebody took our labels off it, and every other one of an identity. It
// says whether the published one is gone, and returns a problem while somebody's finalizer keeps one. NamespaceExists says
// whether the namespace of the published one is there.
func (s *Store) Withdraw(ctx context.Context, identity *v1alpha1.ClientIdentity, ref *v1alpha1.SecretReference, namespaceExists bool) (bool, error) {
	var removed types.UID
	if ref != nil {
		var err error
		if removed, err = s.withdrawPublished(ctx, ref, namespaceExists); err != nil {
			return false, err
		}
	}
	// The cache may still have what was deleted just now.
	if err := s.removeOwned(ctx, identity, func(found *metav1.PartialObjectMetadata) bool { return found.UID == removed }); err != nil {
		return true, err
	}
	strays, err := s.owned(ctx, identity)
	if err != nil {
		return true, err
	}
	for i := range strays {
		if len(strays[i].Finalizers) > 0 {
			return true, s.held(&strays[i])
		}
	}
	return true, nil
}

// withdrawPublished deletes the published Secret, and says which one it deleted.
func (s *Store) withdrawPublished(ctx context.Context, ref *v1alpha1.SecretReference, namespaceExists bool) (types.UID, error) {
	live, err := s.live(ctx, ref)
	if err != nil {
		return "", err
	}
	if live == nil {
		return "", s.beyondReach(ctx, ref, namespaceExists)
	}
	if err := s.remove(ctx, live); err != nil {
		return "", err
	}
	if len(live.Finalizers) > 0 {
		return "", s.held(live)
	}
	return live.UID, nil
}

// beyondReach returns a problem where the published Secret is in a namespace that the operator may not look into
// any more: nobody knows whether it is gone.
func (s *Store) beyondReach(ctx context.Context, ref *v1alpha1.SecretReference, namespaceExists bool) error {
	if s.Places.Allow(ref.Namespace) || !namespaceExists {
		return nil
	}
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, NewMetadata()); !apierrors.IsForbidden(err) {
		return nil
	}
	return problem.NewWaiting(v1alpha1.ReasonWithdrawing, s.SlowLook,
		"the operator has no rights in namespace %q any more: see that secret %q is gone, and grant it get on Secrets there until this is done", ref.Namespace, ref.Name)
}

func (s *Store) held(secret metav1.Object) error {
	return problem.NewWaiting(v1alpha1.ReasonWithdrawing, s.SlowLook,
		"secret \"%s/%s\" is being deleted but has finalizers: remove them", secret.GetNamespace(), secret.GetName())
}
