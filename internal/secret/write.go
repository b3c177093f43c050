// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/problem"
)

// finishTimeout bounds a write that is not cut off.
const finishTimeout = 10 * time.Second

// Publish puts a credential where it is wanted, in one write, and returns the reference to remember. What is published
// elsewhere stays: see RemoveOthers.
func (s *Store) Publish(
	ctx context.Context, want Wanted, c *Credential, status *v1alpha1.ClientIdentityStatus, seen Published,
) (*v1alpha1.SecretReference, error) {
	secret, err := want.with(c)
	if err != nil {
		return nil, err
	}
	if seen.Cached() && dropped(seen.Meta) {
		// What others wrote into its metadata is kept, and the cache does not.
		if seen, err = s.Confirm(ctx, status, seen); err != nil {
			return nil, err
		}
	}
	// Not cut off halfway, by an operator that is being stopped or by a pass whose time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return s.write(ctx, secret, want.Identity, seen)
}

// Refresh keeps the Secret of a credential that stays as it should be: its place, metadata and kubeconfig. It returns the
// reference to remember. Namespace is what keeps it from being written where it belongs, or nil.
func (s *Store) Refresh(
	ctx context.Context, want Wanted, status *v1alpha1.ClientIdentityStatus, seen Published, namespace *problem.Problem,
) (*v1alpha1.SecretReference, error) {
	right := seen.At(want.Place) && !seen.drifted(want.metadata(), want.Identity)
	if right && seen.Cached() {
		return status.SecretRef, nil
	}
	if seen.Cached() {
		live, err := s.readLive(ctx, status)
		if err != nil {
			return nil, err
		}
		if !live.Usable() {
			return nil, problem.ErrStale
		}
		seen = live
	}
	secret, err := want.with(seen.Credential)
	if err != nil {
		return nil, err
	}
	if right && maps.EqualFunc(seen.secret.Data, secret.Data, bytes.Equal) {
		return referenceTo(seen.secret), nil
	}
	if namespace != nil {
		return nil, namespace
	}
	return s.write(ctx, secret, want.Identity, seen)
}

func referenceTo(secret *corev1.Secret) *v1alpha1.SecretReference {
	return &v1alpha1.SecretReference{
		Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID, ResourceVersion: secret.ResourceVersion,
	}
}

// write puts want in place, and remembers its metadata, so that the next pass needs no live read.
func (s *Store) write(ctx context.Context, want *corev1.Secret, identity *v1alpha1.ClientIdentity, seen Published) (*v1alpha1.SecretReference, error) {
	var written *corev1.Secret
	err := s.Cached.Writing(metadataOf(want), func() (client.Object, error) {
		var err error
		if written, err = s.put(ctx, want, identity, seen); err != nil {
			return nil, err
		}
		return metadataOf(written), nil
	})
	if err != nil {
		return nil, err
	}
	return referenceTo(written), nil
}

// put writes want, with one call where an object of ours is there already. A Secret that is not ours is a conflict; one
// that only looks like ours is replaced, never updated: a planted one would keep its type, finalizers and annotations.
func (s *Store) put(ctx context.Context, want *corev1.Secret, identity *v1alpha1.ClientIdentity, seen Published) (*corev1.Secret, error) {
	if !seen.At(client.ObjectKeyFromObject(want)) {
		return s.create(ctx, want, identity)
	}
	update := want.DeepCopy()
	update.ResourceVersion, update.UID = seen.Meta.GetResourceVersion(), seen.Meta.GetUID()
	mergeMetadata(update, seen.Meta)
	err := s.Live.Update(ctx, update)
	switch {
	case err == nil:
		return update, nil
	case apierrors.IsNotFound(err):
		return s.create(ctx, want, identity)
	case apierrors.IsConflict(err):
		return nil, problem.ErrStale
	case apierrors.IsInvalid(err):
		// immutable: true, or another type.
		return s.replace(ctx, want, seen.Meta)
	}
	return nil, s.refused(want, err)
}

// create creates want, after removing what a restored backup may have left in its place.
func (s *Store) create(ctx context.Context, want *corev1.Secret, identity *v1alpha1.ClientIdentity) (*corev1.Secret, error) {
	created := want.DeepCopy()
	err := s.Live.Create(ctx, created)
	if err == nil {
		return created, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, s.refused(want, err)
	}
	existing := &corev1.Secret{}
	if err := s.Live.Get(ctx, client.ObjectKeyFromObject(want), existing); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", want.Namespace, want.Name, err)
	}
	if !metav1.IsControlledBy(existing, identity) && !dependent.Orphaned(existing, identity) {
		return nil, problem.NewWaiting(v1alpha1.ReasonSecretConflict, s.SlowLook,
			"secret \"%s/%s\" exists and is not owned by this ClientIdentity: delete it or choose another spec.secret.name", want.Namespace, want.Name)
	}
	if err := s.unlessPublished(ctx, identity, existing); err != nil {
		return nil, err
	}
	if metav1.IsControlledBy(existing, identity) && Keyless(existing) {
		// What others wrote into the metadata of the one that holders had is kept.
		return s.put(ctx, want, identity, Published{Meta: existing, secret: existing})
	}
	return s.replace(ctx, want, existing)
}

// unlessPublished returns ErrStale where an identity's status speaks of a Secret by now: another operator has published there,
// and this one stood still.
func (s *Store) unlessPublished(ctx context.Context, identity *v1alpha1.ClientIdentity, existing *corev1.Secret) error {
	live, err := consistent.Live(ctx, s.Live, identity)
	if err != nil {
		return err
	}
	now, then := live.Status.SecretRef, identity.Status.SecretRef
	if now != nil && now.UID == existing.UID && (then == nil || then.UID != now.UID) {
		return problem.ErrStale
	}
	return nil
}

// replace deletes the Secret that was seen, and only that, and creates want.
func (s *Store) replace(ctx context.Context, want *corev1.Secret, seen metav1.Object) (*corev1.Secret, error) {
	if err := s.remove(ctx, seen); err != nil {
		return nil, err
	}
	created := want.DeepCopy()
	err := s.Live.Create(ctx, created)
	if apierrors.IsAlreadyExists(err) {
		return nil, problem.NewWaiting(v1alpha1.ReasonSecretConflict, s.SlowLook,
			"secret \"%s/%s\" is being deleted but still exists: remove its finalizers, so that it can be created again", want.Namespace, want.Name)
	}
	if err != nil {
		return nil, s.refused(want, err)
	}
	return created, nil
}

// remove deletes the Secret that was seen, and only that.
func (s *Store) remove(ctx context.Context, seen metav1.Object) error {
	uid, version := seen.GetUID(), seen.GetResourceVersion()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: seen.GetNamespace(), Name: seen.GetName()}}
	err := s.Live.Delete(ctx, secret, client.Preconditions{UID: &uid, ResourceVersion: &version})
	switch {
	case apierrors.IsConflict(err):
		return problem.ErrStale
	case apierrors.IsNotFound(err):
		gone, liveErr := consistent.Gone(ctx, s.Live, NewMetadata(), client.ObjectKeyFromObject(secret), uid)
		if gone || apierrors.IsForbidden(liveErr) {
			return nil
		}
		return fmt.Errorf("delete Secret %s/%s, which is still there: %w", seen.GetNamespace(), seen.GetName(), cmp.Or(liveErr, err))
	case err != nil:
		return fmt.Errorf("delete Secret %s/%s: %w", seen.GetNamespace(), seen.GetName(), err)
	}
	return nil
}

// refused says why the API server did not store the Secret. The error of the API server is quoted only
// where it is about rights: a validation message could quote the content.
func (s *Store) refused(want *corev1.Secret, err error) error {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return problem.NewWaiting(v1alpha1.ReasonSecretNamespaceMissing, s.SlowLook,
			"namespace %q for the Secret does not exist or is being deleted: create it, or set spec.secret.namespace", want.Namespace)
	case apierrors.IsForbidden(err):
		return problem.NewWaiting(v1alpha1.ReasonSecretRejected, s.SlowLook, "the API server does not let the operator write the Secret: %v", err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return problem.NewWaiting(v1alpha1.ReasonSecretRejected, s.SlowLook,
			"the API server refuses secret \"%s/%s\" as invalid (%s): check spec.secret", want.Namespace, want.Name, apierrors.ReasonForError(err))
	}
	return fmt.Errorf("write Secret %s/%s: %w", want.Namespace, want.Name, err)
}

// metadataOf returns what the cache would hold of a Secret.
func metadataOf(secret *corev1.Secret) *metav1.PartialObjectMetadata {
	meta := NewMetadata()
	secret.ObjectMeta.DeepCopyInto(&meta.ObjectMeta)
	Slim(meta)
	return meta
}
