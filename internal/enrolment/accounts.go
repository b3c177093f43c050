// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package enrolment keeps the ServiceAccounts whose tokens are invitations: one for each identity whose holders make the keys.
// Whoever may create tokens for it invites. It touches ServiceAccounts, of which it reads the metadata, and no other dependent.
package enrolment

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/problem"
)

// +kubebuilder:rbac:groups="",resources=serviceaccounts,namespace=client-identities,verbs=get;list;watch;create;delete

// Accounts keeps the ServiceAccounts of identities.
type Accounts struct {
	// Cached reads metadata, and remembers that of what was written.
	Cached *consistent.Client
	// Live reads and writes past the caches.
	Live client.Client
	// Allow says whether ServiceAccounts may be in a namespace: the cache tells of no other.
	Allow func(namespace string) bool
	// SlowLook is how often to look whether something is gone that no watch of ours tells of.
	SlowLook time.Duration
}

// Place is where the ServiceAccount of an identity belongs, whose Secret is in that namespace.
func Place(identity *v1alpha1.ClientIdentity, namespace string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: holder.ServiceAccountName(identity.Name)}
}

// Known returns the ServiceAccount that the status speaks of, as the cache has it, or nil where it is gone, another one is in its
// place, it is not the identity's any more, or it stands where the operator may not look any more.
func (a *Accounts) Known(ctx context.Context, identity *v1alpha1.ClientIdentity, ref *v1alpha1.EnrolmentReference) (*metav1.PartialObjectMetadata, error) {
	if ref == nil || !a.Allow(ref.Namespace) {
		return nil, nil
	}
	found := NewMetadata()
	err := a.Cached.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the metadata of ServiceAccount %s/%s: %w", ref.Namespace, ref.Name, err)
	case found.UID != ref.UID || !metav1.IsControlledBy(found, identity):
		return nil, nil
	}
	return found, nil
}

// Keep makes the ServiceAccount as it is wanted, and returns the reference to remember: nil where there is none that may be used.
// One whose invitations are to end is deleted, seen gone, and made anew; where making is not allowed it is only deleted. Confirm fails
// where the identity is an old one; it is asked before anything is deleted.
func (a *Accounts) Keep(
	ctx context.Context, want Wanted, ref *v1alpha1.EnrolmentReference, confirm func(context.Context) error,
) (*v1alpha1.EnrolmentReference, error) {
	known, err := a.Known(ctx, want.Identity, ref)
	if err != nil {
		return ref, err
	}
	why := want.outdated(ref, known)
	if why == "" {
		return ref, a.removeOthers(ctx, want.Identity, known, confirm)
	}
	if known != nil {
		if err := confirm(ctx); err != nil {
			return ref, err
		}
		log.FromContext(ctx).Info("ending open invitations", "serviceAccount", known.Namespace+"/"+known.Name, "reason", why)
	}
	// Whatever stands in the way from here on, no invitation of the former one is good any more.
	if err := a.Remove(ctx, want.Identity, ref, confirm); err != nil || !want.Make {
		return nil, err
	}
	made, err := a.create(ctx, want)
	if err != nil {
		return nil, err
	}
	log.FromContext(ctx).Info("made the ServiceAccount of invitations", "serviceAccount", made.Namespace+"/"+made.Name, "uid", made.UID)
	return &v1alpha1.EnrolmentReference{Namespace: made.Namespace, Name: made.Name, UID: made.UID, RevokeIssuedBefore: want.Identity.Spec.RevokeIssuedBefore}, nil
}

// create makes the ServiceAccount. One of its name that is not the identity's is a conflict, and never used.
func (a *Accounts) create(ctx context.Context, want Wanted) (*metav1.PartialObjectMetadata, error) {
	account := &corev1.ServiceAccount{
		ObjectMeta: dependent.Meta(want.Identity, Place(want.Identity, want.Namespace)),
		// No pod is meant to run as it.
		AutomountServiceAccountToken: ptr.To(false),
	}
	var made *metav1.PartialObjectMetadata
	err := a.Cached.Writing(metadataOf(account), func() (client.Object, error) {
		if err := a.Live.Create(ctx, account); err != nil {
			return nil, err
		}
		made = metadataOf(account)
		return made, nil
	})
	switch {
	case err == nil:
		return made, a.altered(want.Identity, made)
	case apierrors.IsAlreadyExists(err):
		return nil, a.taken(ctx, want)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return nil, problem.NewWaiting(v1alpha1.ReasonSecretNamespaceMissing, a.SlowLook,
			"namespace %q for the ServiceAccount of invitations does not exist or is being deleted: create it, or set spec.secret.namespace", want.Namespace)
	case apierrors.IsForbidden(err):
		return nil, problem.NewWaiting(v1alpha1.ReasonEnrolmentForbidden, a.SlowLook,
			"the API server does not let the operator make the ServiceAccount of invitations in namespace %q: grant it create, delete, get, list and watch on ServiceAccounts there: %v",
			want.Namespace, err)
	}
	return nil, fmt.Errorf("create ServiceAccount %s/%s: %w", account.Namespace, account.Name, err)
}

// altered returns a problem where the API server's admission took away what proves whose a ServiceAccount is: nobody can use it then.
func (a *Accounts) altered(identity *v1alpha1.ClientIdentity, made *metav1.PartialObjectMetadata) error {
	if metav1.IsControlledBy(made, identity) && dependent.Labelled(made, identity) {
		return nil
	}
	return problem.NewWaiting(v1alpha1.ReasonEnrolmentConflict, a.SlowLook,
		"admission of the cluster changes the labels or owners of ServiceAccount \"%s/%s\": exempt the operator from it", made.Namespace, made.Name)
}

// taken says what is in the place of the ServiceAccount, after removing it where it is the identity's and lost its labels, or was
// restored from a backup.
func (a *Accounts) taken(ctx context.Context, want Wanted) error {
	place := Place(want.Identity, want.Namespace)
	found := NewMetadata()
	if err := a.Live.Get(ctx, place, found); err != nil {
		if apierrors.IsNotFound(err) {
			return problem.ErrStale
		}
		return fmt.Errorf("read ServiceAccount %s: %w", place, err)
	}
	switch {
	case !metav1.IsControlledBy(found, want.Identity) && !dependent.Orphaned(found, want.Identity):
		return problem.NewWaiting(v1alpha1.ReasonEnrolmentConflict, a.SlowLook,
			"ServiceAccount \"%s\" exists and is not owned by this ClientIdentity: delete it, or choose another spec.secret.namespace; nobody can be invited until then", place)
	case found.DeletionTimestamp != nil:
		return a.held(found)
	}
	if err := a.remove(ctx, found); err != nil {
		return err
	}
	return problem.ErrStale
}

func (a *Accounts) held(account metav1.Object) error {
	return problem.NewWaiting(v1alpha1.ReasonEnrolmentConflict, a.SlowLook,
		"ServiceAccount \"%s/%s\" is being deleted but has finalizers: remove them", account.GetNamespace(), account.GetName())
}

// remove deletes the ServiceAccount that was seen, and only that.
func (a *Accounts) remove(ctx context.Context, seen metav1.Object) error {
	uid, version := seen.GetUID(), seen.GetResourceVersion()
	account := metadataOf(seen)
	err := a.Cached.Writing(account, func() (client.Object, error) {
		return nil, a.Live.Delete(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: seen.GetNamespace(), Name: seen.GetName()}},
			client.Preconditions{UID: &uid, ResourceVersion: &version})
	})
	switch {
	case apierrors.IsConflict(err):
		return problem.ErrStale
	case apierrors.IsNotFound(err):
		gone, liveErr := consistent.Gone(ctx, a.Live, NewMetadata(), client.ObjectKeyFromObject(account), uid)
		if gone || apierrors.IsForbidden(liveErr) {
			return nil
		}
		return fmt.Errorf("delete ServiceAccount %s/%s, which is still there: %w", seen.GetNamespace(), seen.GetName(), cmp.Or(liveErr, err))
	case err != nil:
		return fmt.Errorf("delete ServiceAccount %s/%s: %w", seen.GetNamespace(), seen.GetName(), err)
	}
	return nil
}

// NewMetadata returns an empty object that reads the metadata of ServiceAccounts.
func NewMetadata() *metav1.PartialObjectMetadata {
	account := &metav1.PartialObjectMetadata{}
	account.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(Kind))
	return account
}

// metadataOf returns what the cache would hold of a ServiceAccount.
func metadataOf(account metav1.Object) *metav1.PartialObjectMetadata {
	meta := NewMetadata()
	meta.Namespace, meta.Name = account.GetNamespace(), account.GetName()
	meta.UID, meta.ResourceVersion = account.GetUID(), account.GetResourceVersion()
	meta.Labels, meta.OwnerReferences = account.GetLabels(), account.GetOwnerReferences()
	meta.Finalizers, meta.DeletionTimestamp = account.GetFinalizers(), account.GetDeletionTimestamp()
	dependent.Slim(meta)
	return meta
}
