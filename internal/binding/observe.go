// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
)

// observations are the binding objects that exist, each as the access package and as the API sees it.
type observations map[access.Key]observation

type observation struct {
	access.Observed
	object client.Object
}

func (o observations) all() []access.Observed {
	result := make([]access.Observed, 0, len(o))
	for _, binding := range o {
		result = append(result, binding.Observed)
	}
	return result
}

// observe returns what exists, from the cache: the wanted names, and all that is owned by an
// identity or was restored from a backup of it.
func (w *Writer) observe(ctx context.Context, identity *v1alpha1.ClientIdentity, wanted []access.Binding) (observations, error) {
	keys := sets.New[access.Key]()
	for i := range wanted {
		keys.Insert(wanted[i].Key())
	}
	for _, owner := range dependent.Keys(identity) {
		var roleBindings rbacv1.RoleBindingList
		if err := w.Client.List(ctx, &roleBindings, client.MatchingFields{dependent.IndexOwner: owner}); err != nil {
			return nil, fmt.Errorf("list RoleBindings: %w", err)
		}
		for i := range roleBindings.Items {
			keys.Insert(access.Key{Namespace: roleBindings.Items[i].Namespace, Name: roleBindings.Items[i].Name})
		}
		var clusterRoleBindings rbacv1.ClusterRoleBindingList
		if err := w.Client.List(ctx, &clusterRoleBindings, client.MatchingFields{dependent.IndexOwner: owner}); err != nil {
			return nil, fmt.Errorf("list ClusterRoleBindings: %w", err)
		}
		for i := range clusterRoleBindings.Items {
			keys.Insert(access.Key{Name: clusterRoleBindings.Items[i].Name})
		}
	}
	observed := observations{}
	for key := range keys {
		// Each is read again, since single reads know our own writes.
		object := newBinding(key)
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err == nil {
			observed[key] = asObserved(object, identity)
		} else if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
	}
	return observed, nil
}

// observeUnlabelled adds what the API server has of an identity that the caches do not: somebody took the labels off, while
// no operator was there to see it.
func (w *Writer) observeUnlabelled(ctx context.Context, identity *v1alpha1.ClientIdentity, observed observations) error {
	return w.eachBinding(ctx, func(object client.Object) {
		if metav1.IsControlledBy(object, identity) && !dependent.Labelled(object, identity) {
			found := asObserved(object, identity)
			found.object, _ = object.DeepCopyObject().(client.Object)
			observed[found.Key()] = found
		}
	})
}

func asObserved(object client.Object, identity *v1alpha1.ClientIdentity) observation {
	o := access.Observed{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		Owned:         metav1.IsControlledBy(object, identity),
		Orphan:        dependent.Orphaned(object, identity),
		MetadataDrift: !dependent.Labelled(object, identity),
		Deleting:      object.GetDeletionTimestamp() != nil,
		Finalizers:    len(object.GetFinalizers()) > 0,
	}
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		o.RoleRef, o.Subjects = binding.RoleRef, binding.Subjects
	case *rbacv1.ClusterRoleBinding:
		o.RoleRef, o.Subjects = binding.RoleRef, binding.Subjects
	}
	return observation{Observed: o, object: object}
}

// newBinding returns an empty object of the kind that the key is of.
func newBinding(key access.Key) client.Object {
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	if key.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: meta}
	}
	return &rbacv1.RoleBinding{ObjectMeta: meta}
}
