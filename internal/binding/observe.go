// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"
	"strings"

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

// observeLive returns what a look past the caches has found of an identity, with or without our labels, and what names an earlier
// credential of it; nil while there was none. What was being deleted is looked at again: the look may have been a while ago, and no
// watch would tell that it is gone.
func (w *Writer) observeLive(ctx context.Context, identity *v1alpha1.ClientIdentity, wanted []access.Binding) (*answer, error) {
	found, err := w.survey.ask(ctx, &inquiry{identity: identity, wanted: wanted})
	if err != nil || found == nil {
		return nil, err
	}
	return found, w.stillThere(ctx, identity, found.found)
}

// stillThere drops what was being deleted and is gone, and looks again at what is not.
func (w *Writer) stillThere(ctx context.Context, identity *v1alpha1.ClientIdentity, found observations) error {
	for key, have := range found {
		if !have.Deleting {
			continue
		}
		object := newBinding(key)
		if err := w.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err == nil {
			found[key] = asObserved(object, identity)
		} else if client.IgnoreNotFound(err) == nil {
			delete(found, key)
		} else {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
	return nil
}

func asObserved(object client.Object, identity *v1alpha1.ClientIdentity) observation {
	return observed(object, identity, someOf(subjectsOf(object)))
}

// observed is an object as an identity sees it, with those of its subjects that are kept.
func observed(object client.Object, identity *v1alpha1.ClientIdentity, some []rbacv1.Subject) observation {
	o := access.Observed{
		Subjects:  some,
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		Owned:         metav1.IsControlledBy(object, identity),
		Orphan:        dependent.Orphaned(object, identity),
		MetadataDrift: !dependent.Labelled(object, identity),
		Deleting:      object.GetDeletionTimestamp() != nil,
		Finalizers:    len(object.GetFinalizers()) > 0,
	}
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		o.RoleRef = binding.RoleRef
	case *rbacv1.ClusterRoleBinding:
		o.RoleRef = binding.RoleRef
	}
	// Of the object itself only its name and version are needed: others may have made it large.
	version := newBinding(o.Key())
	version.SetUID(o.UID)
	version.SetResourceVersion(o.ResourceVersion)
	if o.Finalizers {
		version.SetFinalizers([]string{dependent.Cut(object.GetFinalizers()[0])}) // who deletes it does not take it for gone
	}
	return observation{Observed: o, object: version}
}

// someSubjects are more than a binding of ours has: one that has as many is none as it should be.
const someSubjects = 4

// someOf keeps some subjects of a binding, in memory of their own: those that matter first, of however many others put there.
func someOf(subjects []rbacv1.Subject) []rbacv1.Subject {
	kept := make([]rbacv1.Subject, 0, min(len(subjects), someSubjects))
	for _, ours := range []bool{true, false} {
		for _, s := range subjects {
			if strings.HasPrefix(s.Name, v1alpha1.CredentialGroupPrefix) == ours && len(kept) < someSubjects {
				kept = append(kept, cut(s))
			}
		}
	}
	return kept
}

// cut returns a subject in memory of its own, however long others made it.
func cut(s rbacv1.Subject) rbacv1.Subject {
	s.Kind, s.APIGroup = dependent.Cut(s.Kind), dependent.Cut(s.APIGroup)
	s.Name, s.Namespace = dependent.Cut(s.Name), dependent.Cut(s.Namespace)
	return s
}

// subjectsOf returns the subjects of a binding.
func subjectsOf(object client.Object) []rbacv1.Subject {
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		return binding.Subjects
	case *rbacv1.ClusterRoleBinding:
		return binding.Subjects
	}
	return nil
}

// newBinding returns an empty object of the kind that the key is of.
func newBinding(key access.Key) client.Object {
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	if key.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: meta}
	}
	return &rbacv1.RoleBinding{ObjectMeta: meta}
}
