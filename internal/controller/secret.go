// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// credential is a certificate with its key.
type credential struct {
	key    crypto.Signer
	issued *certificate.Issued
	// hash identifies the request that the certificate answers.
	hash string
	// issuedAt is when it was asked for.
	issuedAt time.Time
}

// published is the Secret that the status speaks of.
type published struct {
	// meta is the metadata of the Secret, from the cache or read live.
	meta metav1.Object
	// secret is the Secret itself where it was read live.
	secret *corev1.Secret
	// credential is what the Secret holds, where it was read live and is whole.
	credential *credential
	// problem says what is wrong with the credential in it.
	problem string
}

// usable says whether the credential is whole.
func (s *published) usable() bool { return s != nil && s.problem == "" }

// readPublished returns the Secret that the status speaks of, or nil where nothing is published any more. It
// is read live only where it is not the version that was checked last.
func (p *pass) readPublished(ctx context.Context) (*published, error) {
	ref := p.status.SecretRef
	if ref == nil || p.status.Certificate == nil {
		return nil, nil
	}
	if !p.Options.mayPublishIn(ref.Namespace) {
		// The operator published there when it was allowed to; the cache does not tell of it any more.
		return p.readSecret(ctx)
	}
	cached := newSecretMetadata()
	err := p.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, cached)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the metadata of Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	if err == nil && cached.UID == ref.UID && cached.ResourceVersion == ref.ResourceVersion {
		return &published{meta: cached}, nil
	}
	return p.readSecret(ctx)
}

// readSecret reads the Secret that the status speaks of live, and checks the credential in it.
func (p *pass) readSecret(ctx context.Context) (*published, error) {
	secret, err := p.liveSecret(ctx)
	if err != nil || secret == nil {
		return nil, err
	}
	found := &published{meta: secret, secret: secret}
	found.credential, found.problem = p.check(secret)
	return found, nil
}

// liveSecret returns the Secret that the status speaks of, or nil where it is gone, or another one of its name
// is in its place, or it stands where the operator may not look any more.
func (p *pass) liveSecret(ctx context.Context) (*corev1.Secret, error) {
	ref := p.status.SecretRef
	secret := &corev1.Secret{}
	err := p.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)
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
func (p *pass) check(secret *corev1.Secret) (*credential, string) {
	if secret.DeletionTimestamp != nil {
		return nil, "the Secret is being deleted"
	}
	issued, err := certificate.ParseIssued(secret.Data[v1alpha1.CertificateKey])
	if err != nil {
		return nil, fmt.Sprintf("%s: %v", v1alpha1.CertificateKey, err)
	}
	if issued.Fingerprint() != p.status.Certificate.Fingerprint {
		return nil, v1alpha1.CertificateKey + " is not the certificate that was published"
	}
	key, err := certificate.ParseKey(secret.Data[v1alpha1.PrivateKeyKey])
	if err != nil {
		return nil, fmt.Sprintf("%s: %v", v1alpha1.PrivateKeyKey, err)
	}
	if !issued.HasKey(key.Public()) {
		return nil, v1alpha1.PrivateKeyKey + " does not belong to " + v1alpha1.CertificateKey
	}
	return &credential{key: key, issued: issued, hash: secret.Annotations[v1alpha1.RequestHashAnnotation]}, ""
}

// confirm makes sure that another certificate is really needed, and reads the published credential: what the
// cache says of the Secret or of the identity may be old, and a certificate cannot be taken back.
func (p *pass) confirm(ctx context.Context, current *published) error {
	if current != nil && current.secret == nil {
		live, err := p.readSecret(ctx)
		if err != nil {
			return err
		}
		if live == nil || live.meta.GetResourceVersion() != current.meta.GetResourceVersion() {
			return errStale
		}
		*current = *live
		return nil
	}
	live := &v1alpha1.ClientIdentity{}
	if err := p.Live.Get(ctx, client.ObjectKeyFromObject(p.identity), live); err != nil {
		return fmt.Errorf("read ClientIdentity %q: %w", p.identity.Name, err)
	}
	if live.ResourceVersion != p.identity.ResourceVersion {
		return errStale
	}
	return nil
}

// refresh keeps the Secret of a credential that stays as it should be: its place, metadata and kubeconfig.
func (p *pass) refresh(ctx context.Context, to target, current *published) error {
	want, err := p.desiredSecret(to, current.credential)
	if err != nil {
		return err
	}
	inPlace := current.meta.GetNamespace() == want.Namespace && current.meta.GetName() == want.Name
	right := inPlace && !p.metadataDrifted(current.meta, want)
	if right && current.secret == nil {
		return p.removeStraySecrets(ctx)
	}
	if current.secret == nil {
		live, err := p.readSecret(ctx)
		if err != nil {
			return err
		}
		if !live.usable() {
			return errStale
		}
		current = live
		if want, err = p.desiredSecret(to, current.credential); err != nil {
			return err
		}
	}
	if right && maps.EqualFunc(current.secret.Data, want.Data, bytes.Equal) {
		p.status.SecretRef.ResourceVersion = current.secret.ResourceVersion
		return p.removeStraySecrets(ctx)
	}
	if err := p.secretNamespace(ctx, to.location.Namespace); err != nil {
		return err
	}
	written, err := p.writeSecret(ctx, want, current)
	if err != nil {
		return err
	}
	p.secretWritten(ctx, written)
	return p.removeOtherSecrets(ctx, current)
}

// removeOtherSecrets deletes the Secrets of this identity at another place than the published one. The cache does not
// tell of former where the operator may publish in its namespace no longer; where it may not delete it either, the
// Secret goes with the identity.
func (p *pass) removeOtherSecrets(ctx context.Context, former *published) error {
	if former != nil && !p.Options.mayPublishIn(former.meta.GetNamespace()) {
		if err := p.deleteSecret(ctx, former.meta); err != nil && !apierrors.IsForbidden(err) {
			return err
		}
	}
	return p.removeStraySecrets(ctx)
}

// desiredSecret returns the Secret for a credential; without one, only its metadata.
func (p *pass) desiredSecret(to target, c *credential) (*corev1.Secret, error) {
	spec := &p.identity.Spec.Secret
	secret := &corev1.Secret{ObjectMeta: p.dependentMeta(to.location), Type: corev1.SecretTypeOpaque}
	for k, v := range spec.Labels {
		secret.Labels[k] = string(v)
	}
	secret.Annotations = map[string]string{}
	for k, v := range spec.Annotations {
		secret.Annotations[k] = string(v)
	}
	secret.Annotations[v1alpha1.KubeconfigHashAnnotation] = to.parameters.Hash() + ":" + spec.KubeconfigKey
	secret.Annotations[v1alpha1.ManagedMetadataAnnotation] = managedNames(spec)
	if c == nil {
		return secret, nil
	}
	secret.Annotations[v1alpha1.RequestHashAnnotation] = c.hash
	keyPEM, err := certificate.EncodeKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	config, err := kubeconfig.Render(to.parameters, c.issued.ChainPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("render the kubeconfig: %w", err)
	}
	secret.Data = map[string][]byte{
		spec.KubeconfigKey:      config,
		v1alpha1.CertificateKey: c.issued.ChainPEM,
		v1alpha1.PrivateKeyKey:  keyPEM,
		v1alpha1.CAKey:          to.parameters.CertificateAuthorityData,
	}
	return secret, nil
}

// metadataDrifted says whether what we set on a Secret is not as it should be. What others set is theirs.
func (p *pass) metadataDrifted(have metav1.Object, want *corev1.Secret) bool {
	return !contains(have.GetLabels(), want.Labels) || !contains(have.GetAnnotations(), want.Annotations) ||
		!metav1.IsControlledBy(have, p.identity)
}

// contains says whether have has all of want.
func contains(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// managedNames records which labels and annotations come from the spec: those that it asks for no longer are
// removed by it, and foreign ones are kept.
func managedNames(spec *v1alpha1.SecretTemplate) string {
	labels, annotations := slices.Sorted(maps.Keys(spec.Labels)), slices.Sorted(maps.Keys(spec.Annotations))
	return strings.Join(labels, ",") + ";" + strings.Join(annotations, ",")
}

// newSecretMetadata returns an empty object that reads the metadata of Secrets: their data is held in no cache.
func newSecretMetadata() *metav1.PartialObjectMetadata {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}
