// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/problem"
)

// keylessMark is part of the hash of the settings of a Secret without a key. It is written together with the content, so that
// metadata alone tells whether there is a key.
const keylessMark = ":keyless:"

// keylessVersion is part of that hash. Change it when the content changes that is rendered from the same settings.
const keylessVersion = "v1:"

// keylessHash tells what devices are to ask for; empty where the operator makes the keys.
func (w Wanted) keylessHash() string {
	if w.Request == nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte(keylessVersion), w.Request...))
	return keylessMark + hex.EncodeToString(sum[:8])
}

// Keyless says whether a Secret was published without a key.
func Keyless(meta metav1.Object) bool {
	return strings.Contains(meta.GetAnnotations()[v1alpha1.KubeconfigHashAnnotation], keylessMark)
}

// KeylessAt says whether the Secret of that name is there, controlled by an identity, and without a key, as the cache has it.
func (s *Store) KeylessAt(ctx context.Context, identity *v1alpha1.ClientIdentity, place client.ObjectKey) (bool, error) {
	found, err := s.metadataAt(ctx, place)
	return err == nil && metav1.IsControlledBy(found, identity) && Keyless(found), err
}

// metadataAt returns the metadata of the Secret of that name, as the cache has it: empty where there is none.
func (s *Store) metadataAt(ctx context.Context, place client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	found := NewMetadata()
	err := s.Cached.Get(ctx, place, found)
	switch {
	case apierrors.IsNotFound(err):
		return NewMetadata(), nil
	case err != nil:
		return NewMetadata(), fmt.Errorf("read the metadata of Secret %s: %w", place, err)
	}
	return found, nil
}

// KeepKeyless keeps the Secret of an identity whose holders make the keys, in its place, and returns the reference to remember. One
// that holds a key is overwritten, in one write.
func (s *Store) KeepKeyless(ctx context.Context, want Wanted, status *v1alpha1.ClientIdentityStatus) (*v1alpha1.SecretReference, error) {
	cached, err := s.metadataAt(ctx, want.Place)
	if err != nil {
		return nil, err
	}
	Slim(cached) // as it mostly is already
	ref := status.SecretRef
	checked := ref != nil && ref.Namespace == want.Place.Namespace && ref.Name == want.Place.Name && ref.UID == cached.UID && ref.ResourceVersion == cached.ResourceVersion
	if checked && !(Published{Meta: cached}).drifted(want.metadata(), want.Identity) {
		return ref, nil
	}
	secret, err := want.keyless()
	if err != nil {
		return nil, err
	}
	found := &corev1.Secret{}
	err = s.Live.Get(ctx, want.Place, found)
	switch {
	case apierrors.IsNotFound(err), err == nil && !metav1.IsControlledBy(found, want.Identity):
		return s.write(ctx, secret, want.Identity, Published{}) // and that says whose the other one is
	case err != nil:
		return nil, fmt.Errorf("read Secret %s: %w", want.Place, err)
	case !metadataDrifted(found, secret, want.Identity) && found.Type == secret.Type && maps.EqualFunc(found.Data, secret.Data, bytes.Equal):
		return referenceTo(found), nil
	}
	return s.write(ctx, secret, want.Identity, Published{Meta: found, secret: found})
}

// keyless returns the Secret of an identity whose holders make the keys.
func (w Wanted) keyless() (*corev1.Secret, error) {
	config, err := kubeconfig.RenderExec(w.Parameters, w.Identity.Name, string(w.Identity.UID))
	if err != nil {
		return nil, fmt.Errorf("render the kubeconfig: %w", err)
	}
	secret := w.metadata()
	secret.Data = map[string][]byte{
		w.Identity.Spec.Secret.KubeconfigKey: config,
		v1alpha1.CAKey:                       w.Parameters.CertificateAuthorityData,
		v1alpha1.RequestKey:                  w.Request,
	}
	return secret, nil
}

// RemoveKeys deletes the Secrets of an identity but for the one at keep, if that has no key: holders make them from now on. It also
// deletes the one that the status speaks of, where somebody took our labels off it. Confirm is asked before anything is deleted.
func (s *Store) RemoveKeys(
	ctx context.Context, identity *v1alpha1.ClientIdentity, ref *v1alpha1.SecretReference, keep client.ObjectKey, confirm func(context.Context) error,
) error {
	owned, err := s.owned(ctx, identity)
	if err != nil {
		return err
	}
	remove := func(meta metav1.Object) error {
		if meta.GetNamespace() == keep.Namespace && meta.GetName() == keep.Name && Keyless(meta) {
			return nil
		}
		if err := confirm(ctx); err != nil {
			return err
		}
		return s.remove(ctx, meta)
	}
	var errs []error
	for i := range owned {
		// The list is what the cache has; a single read knows what this process wrote.
		seen, err := s.metadataAt(ctx, client.ObjectKeyFromObject(&owned[i]))
		if err == nil && seen.UID == owned[i].UID {
			err = remove(seen)
		}
		errs = append(errs, err)
	}
	if ref != nil && (ref.Namespace != keep.Namespace || ref.Name != keep.Name) {
		live, err := s.live(ctx, ref)
		if err == nil && live != nil && (metav1.IsControlledBy(live, identity) || dependent.Orphaned(live, identity)) {
			err = remove(live)
		}
		errs = append(errs, err)
	}
	return problem.Join(errs...)
}
