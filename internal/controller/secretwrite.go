// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups="",resources=secrets,namespace=client-identities,verbs=get;list;watch;create;update;delete

// writeSecret puts want in place, in one write where an object of ours is there already. A Secret that is not
// ours is a conflict; one that only looks like ours is replaced, never updated: a planted one would
// keep its type, finalizers and annotations.
func (p *pass) writeSecret(ctx context.Context, want *corev1.Secret, current *published) (*corev1.Secret, error) {
	if current == nil || current.meta.GetNamespace() != want.Namespace || current.meta.GetName() != want.Name {
		return p.createSecret(ctx, want)
	}
	update := want.DeepCopy()
	update.ResourceVersion, update.UID = current.meta.GetResourceVersion(), current.meta.GetUID()
	mergeMetadata(update, current.meta)
	err := p.Live.Update(ctx, update)
	switch {
	case err == nil:
		return update, nil
	case apierrors.IsNotFound(err):
		return p.createSecret(ctx, want)
	case apierrors.IsConflict(err):
		return nil, errStale
	case apierrors.IsInvalid(err):
		// immutable: true, or another type.
		return p.replaceSecret(ctx, want, current.meta)
	}
	return nil, p.secretRefused(want, err)
}

// createSecret creates want, after removing what a restored backup may have left in its place.
func (p *pass) createSecret(ctx context.Context, want *corev1.Secret) (*corev1.Secret, error) {
	created := want.DeepCopy()
	err := p.Live.Create(ctx, created)
	if err == nil {
		return created, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, p.secretRefused(want, err)
	}
	existing := &corev1.Secret{}
	if err := p.Live.Get(ctx, client.ObjectKeyFromObject(want), existing); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", want.Namespace, want.Name, err)
	}
	if !metav1.IsControlledBy(existing, p.identity) && !p.orphaned(existing) {
		return nil, waitingProblem(v1alpha1.ReasonSecretConflict, p.Options.SlowLook,
			"secret \"%s/%s\" exists and is not owned by this ClientIdentity: delete it or choose another spec.secret.name", want.Namespace, want.Name)
	}
	return p.replaceSecret(ctx, want, existing)
}

// replaceSecret deletes the Secret that was seen, and only that, and creates want.
func (p *pass) replaceSecret(ctx context.Context, want *corev1.Secret, seen metav1.Object) (*corev1.Secret, error) {
	if err := p.deleteSecret(ctx, seen); err != nil {
		return nil, err
	}
	created := want.DeepCopy()
	err := p.Live.Create(ctx, created)
	if apierrors.IsAlreadyExists(err) {
		return nil, waitingProblem(v1alpha1.ReasonSecretConflict, p.Options.SlowLook,
			"secret \"%s/%s\" is being deleted but still exists: remove its finalizers, so that it can be created again", want.Namespace, want.Name)
	}
	if err != nil {
		return nil, p.secretRefused(want, err)
	}
	return created, nil
}

// deleteSecret deletes the Secret that was seen, and only that.
func (p *pass) deleteSecret(ctx context.Context, seen metav1.Object) error {
	uid, version := seen.GetUID(), seen.GetResourceVersion()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: seen.GetNamespace(), Name: seen.GetName()}}
	err := p.Live.Delete(ctx, secret, client.Preconditions{UID: &uid, ResourceVersion: &version})
	switch {
	case apierrors.IsConflict(err):
		return errStale
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("delete Secret %s/%s: %w", seen.GetNamespace(), seen.GetName(), err)
	}
	return nil
}

// secretRefused says why the API server did not store the Secret. The error of the API server is quoted only
// where it is about rights: a validation message could quote the content.
func (p *pass) secretRefused(want *corev1.Secret, err error) error {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return waitingProblem(v1alpha1.ReasonSecretNamespaceMissing, p.Options.SlowLook,
			"namespace %q for the Secret does not exist or is being deleted: create it, or set spec.secret.namespace", want.Namespace)
	case apierrors.IsForbidden(err):
		return waitingProblem(v1alpha1.ReasonSecretRejected, p.Options.SlowLook, "the API server does not let the operator write the Secret: %v", err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return waitingProblem(v1alpha1.ReasonSecretRejected, p.Options.SlowLook,
			"the API server refuses secret \"%s/%s\" as invalid (%s): check spec.secret", want.Namespace, want.Name, apierrors.ReasonForError(err))
	}
	return fmt.Errorf("write Secret %s/%s: %w", want.Namespace, want.Name, err)
}

// orphaned says whether an object has our labels and no controller at all, as restored backups do.
func (p *pass) orphaned(object metav1.Object) bool {
	labels := object.GetLabels()
	return metav1.GetControllerOf(object) == nil &&
		labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue && labels[v1alpha1.IdentityLabel] == p.identity.Name
}

// secretWritten records what was written, and waits a moment until the cache has seen it, so that the next
// pass needs no live read. Where the cache is late the next pass reads live: the wait is for thrift only.
func (p *pass) secretWritten(ctx context.Context, written *corev1.Secret) {
	p.published = true
	p.status.SecretRef = &v1alpha1.SecretReference{
		Namespace: written.Namespace, Name: written.Name, UID: written.UID, ResourceVersion: written.ResourceVersion,
	}
	seen := func(ctx context.Context) (bool, error) {
		cached := newSecretMetadata()
		err := p.Get(ctx, client.ObjectKeyFromObject(written), cached)
		return err == nil && cached.UID == written.UID && cached.ResourceVersion == written.ResourceVersion, nil
	}
	_ = wait.PollUntilContextTimeout(ctx, 2*time.Millisecond, time.Second, true, seen)
}

// removeStraySecrets deletes Secrets of this identity at another place than the published one, restored ones too.
func (p *pass) removeStraySecrets(ctx context.Context) error {
	owned, err := p.ownSecrets(ctx)
	if err != nil {
		return err
	}
	for i := range owned {
		ref := p.status.SecretRef
		if ref != nil && ref.Namespace == owned[i].Namespace && ref.Name == owned[i].Name {
			continue
		}
		if err := p.deleteSecret(ctx, &owned[i]); err != nil {
			return err
		}
	}
	return nil
}

// ownSecrets returns the metadata of the Secrets whose controller is this identity, and of those that were restored
// from a backup of it.
func (p *pass) ownSecrets(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	for _, index := range []string{string(p.identity.UID), orphanOf(p.identity.Name)} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		if err := p.List(ctx, &list, client.MatchingFields{indexOwner: index}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list the metadata of Secrets: %w", err)
		}
		found = append(found, list.Items...)
	}
	return found, nil
}

// mergeMetadata adds to want the labels, annotations, finalizers and owners that others set on have.
func mergeMetadata(want *corev1.Secret, have metav1.Object) {
	labels, annotations, _ := strings.Cut(have.GetAnnotations()[v1alpha1.ManagedMetadataAnnotation], ";")
	want.Labels = merged(want.Labels, have.GetLabels(), strings.Split(labels, ","))
	want.Annotations = merged(want.Annotations, have.GetAnnotations(), strings.Split(annotations, ","))
	want.Finalizers = have.GetFinalizers()
	for _, owner := range have.GetOwnerReferences() {
		if owner.Controller == nil || !*owner.Controller {
			want.OwnerReferences = append(want.OwnerReferences, owner)
		}
	}
}

// merged returns ours together with what others set; formerly names what was ours before.
func merged(ours, all map[string]string, formerly []string) map[string]string {
	result := maps.Clone(all)
	maps.DeleteFunc(result, func(name, _ string) bool { return slices.Contains(formerly, name) })
	if result == nil {
		result = map[string]string{}
	}
	maps.Copy(result, ours)
	return result
}
