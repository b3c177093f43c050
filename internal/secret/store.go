// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package secret is the store of published credentials, and the only package that reads and writes their Secrets: metadata
// from a cache, content live, so that no cache ever holds a key. It knows identities, and no other dependent of theirs.
//
// Which read may be used for what: cached metadata says that a Secret is as it was checked last (UID and resourceVersion as
// in status.secretRef), and which Secrets an identity owns. Everything else is read live: content, always; and whatever
// another certificate is issued for, or a Secret deleted.
package secret

import (
	"context"
	"crypto"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/problem"
)

// +kubebuilder:rbac:groups="",resources=secrets,namespace=client-identities,verbs=get;list;watch;create;update;delete

// Store keeps the published credentials of identities.
type Store struct {
	// Cached reads metadata, and remembers the metadata of what was written.
	Cached *consistent.Client
	// Live reads and writes Secrets past all caches.
	Live client.Client
	// Places are where Secrets may be.
	Places Places
	// SlowLook is how often to look whether something is gone that no watch of ours tells of.
	SlowLook time.Duration
}

// Credential is a certificate with its key.
type Credential struct {
	Key    crypto.Signer
	Issued *certificate.Issued
	// Hash identifies the request that the certificate answers.
	Hash string
}

// Published is the Secret that a status speaks of. Its zero value is of none.
type Published struct {
	// Meta is the metadata of the Secret, from the cache or read live; nil where there is none.
	Meta metav1.Object
	// Credential is what the Secret holds, where it was read live and is intact.
	Credential *Credential
	// Problem says what is wrong with the credential in it.
	Problem string

	// secret is the Secret itself where it was read live.
	secret *corev1.Secret
}

// Exists says whether the Secret is there.
func (p Published) Exists() bool { return p.Meta != nil }

// Usable says whether the Secret is there and its credential is intact.
func (p Published) Usable() bool { return p.Exists() && p.Problem == "" }

// At says whether it is the Secret of that name.
func (p Published) At(place client.ObjectKey) bool {
	return p.Exists() && p.Meta.GetNamespace() == place.Namespace && p.Meta.GetName() == place.Name
}

// RequestHash identifies the request that the published certificate answers; empty where that is not known.
func (p Published) RequestHash() string {
	return p.Meta.GetAnnotations()[v1alpha1.RequestHashAnnotation]
}

// CertificateAuthority returns the CA bundle (PEM) that was published with the credential, where it was read live.
func (p Published) CertificateAuthority() []byte {
	if p.secret == nil {
		return nil
	}
	return p.secret.Data[v1alpha1.CAKey]
}

// Read returns the Secret that the status speaks of. It is read live only where it is not the version that was checked last.
func (s *Store) Read(ctx context.Context, status *v1alpha1.ClientIdentityStatus) (Published, error) {
	ref := status.SecretRef
	if ref == nil || status.Certificate == nil {
		return Published{}, nil
	}
	if !s.Places.Allow(ref.Namespace) {
		// The operator published there when it was allowed to; the cache does not tell of it any more.
		return s.readLive(ctx, status)
	}
	cached := NewMetadata()
	err := s.Cached.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, cached)
	if client.IgnoreNotFound(err) != nil {
		return Published{}, fmt.Errorf("read the metadata of Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	if err == nil && cached.UID == ref.UID && cached.ResourceVersion == ref.ResourceVersion {
		Slim(cached) // as it mostly is already
		return Published{Meta: cached}, nil
	}
	return s.readLive(ctx, status)
}

// readLive reads the Secret that the status speaks of past the cache, and checks the credential in it.
func (s *Store) readLive(ctx context.Context, status *v1alpha1.ClientIdentityStatus) (Published, error) {
	secret, err := s.live(ctx, status.SecretRef)
	if err != nil || secret == nil {
		return Published{}, err
	}
	found := Published{Meta: secret, secret: secret}
	found.Credential, found.Problem = check(secret, status.Certificate.Fingerprint)
	return found, nil
}

// Confirm reads a Secret that was taken from the cache again, live. It fails with ErrStale where it is another one by now.
func (s *Store) Confirm(ctx context.Context, status *v1alpha1.ClientIdentityStatus, seen Published) (Published, error) {
	if seen.secret != nil || !seen.Exists() {
		return seen, nil
	}
	live, err := s.readLive(ctx, status)
	if err != nil {
		return Published{}, err
	}
	if !live.Exists() || live.Meta.GetResourceVersion() != seen.Meta.GetResourceVersion() {
		return Published{}, problem.ErrStale
	}
	return live, nil
}

// Cached says whether what is known of the Secret comes from the cache alone.
func (p Published) Cached() bool { return p.Exists() && p.secret == nil }

// live returns the Secret that a status speaks of, or nil where it is gone, or another one of its name
// is in its place, or it stands where the operator may not look any more.
func (s *Store) live(ctx context.Context, ref *v1alpha1.SecretReference) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || (err == nil && secret.UID != ref.UID) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return secret, nil
}

// check returns the credential in a Secret, or what is wrong with it. The status remembers which certificate
// was published: another one, however valid, was put there by somebody else.
func check(secret *corev1.Secret, fingerprint string) (*Credential, string) {
	if secret.DeletionTimestamp != nil {
		return nil, "the Secret is being deleted"
	}
	issued, err := certificate.ParseIssued(secret.Data[v1alpha1.CertificateKey])
	if err != nil {
		return nil, fmt.Sprintf("%s: %v", v1alpha1.CertificateKey, err)
	}
	if issued.Fingerprint() != fingerprint {
		return nil, v1alpha1.CertificateKey + " is not the certificate that was published"
	}
	key, err := certificate.ParseKey(secret.Data[v1alpha1.PrivateKeyKey])
	if err != nil {
		return nil, fmt.Sprintf("%s: %v", v1alpha1.PrivateKeyKey, err)
	}
	if !issued.HasKey(key.Public()) {
		return nil, v1alpha1.PrivateKeyKey + " does not belong to " + v1alpha1.CertificateKey
	}
	return &Credential{Key: key, Issued: issued, Hash: secret.Annotations[v1alpha1.RequestHashAnnotation]}, ""
}

// Witness returns certificate and key (PEM) of an identity's published credential, or nothing where its Secret is gone or not
// as it was published.
func (s *Store) Witness(ctx context.Context, identity *v1alpha1.ClientIdentity) (certificatePEM, keyPEM []byte, err error) {
	found, err := s.readLive(ctx, &identity.Status)
	if err != nil || !found.Usable() {
		return nil, nil, err
	}
	return found.secret.Data[v1alpha1.CertificateKey], found.secret.Data[v1alpha1.PrivateKeyKey], nil
}

// OwnedAt says whether the Secret of that name is there and controlled by an identity, as the cache has it.
func (s *Store) OwnedAt(ctx context.Context, identity *v1alpha1.ClientIdentity, place client.ObjectKey) (bool, error) {
	found := NewMetadata()
	if err := s.Cached.Get(ctx, place, found); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read the metadata of Secret %s: %w", place, err)
	}
	return metav1.IsControlledBy(found, identity), nil
}

// owned returns the metadata of the Secrets whose controller is an identity, and of those that were restored
// from a backup of it.
func (s *Store) owned(ctx context.Context, identity *v1alpha1.ClientIdentity) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	for _, key := range dependent.Keys(identity) {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		if err := s.Cached.List(ctx, &list, client.MatchingFields{dependent.IndexOwner: key}); err != nil {
			return nil, fmt.Errorf("list the metadata of Secrets: %w", err)
		}
		found = append(found, list.Items...)
	}
	return found, nil
}

// NewMetadata returns an empty object that reads the metadata of Secrets: their data is held in no cache.
func NewMetadata() *metav1.PartialObjectMetadata {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}
