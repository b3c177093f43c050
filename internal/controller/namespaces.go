// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/secret"
)

const (
	// indexNamespace finds identities by the namespaces that they name, and by the labels that their selectors ask for; anyNamespace
	// stands for selectors that may select one with any labels.
	indexNamespace = "namespaces"

	anyNamespace = "*"
	// byLabel comes before a label: no name of a namespace has a colon.
	byLabel = "label:"
)

// newNamespace returns an empty object that stands for the metadata of a namespace.
func newNamespace() *metav1.PartialObjectMetadata {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace
}

// namespacesOf is the function of indexNamespace.
func namespacesOf(places secret.Places, object client.Object) []string {
	identity := object.(*v1alpha1.ClientIdentity)
	found := sets.New(places.NamespaceOf(identity))
	for i := range identity.Spec.RoleBindings {
		b := &identity.Spec.RoleBindings[i]
		if b.NamespaceSelector == nil {
			found.Insert(b.Namespace)
			continue
		}
		asked := access.LabelsFor(b.NamespaceSelector)
		if asked == nil {
			found.Insert(anyNamespace)
		}
		for _, label := range asked {
			found.Insert(byLabel + label)
		}
	}
	return found.UnsortedList()
}

// namespaces asks for passes over the identities that something happens to by what happens to a namespace. A thousand namespaces may
// come at once, where each of ten thousand identities has selectors: only those are looked at that select it, or did.
func (r *Reconciler) namespaces() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if !e.IsInInitialList { // every identity is looked at then
				enqueue(queue, r.affected(ctx, nil, e.Object))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if e.ObjectOld.GetUID() != e.ObjectNew.GetUID() { // it went, and came again
				enqueue(queue, r.affected(ctx, e.ObjectOld, nil))
				enqueue(queue, r.affected(ctx, nil, e.ObjectNew))
				return
			}
			enqueue(queue, r.affected(ctx, e.ObjectOld, e.ObjectNew))
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(queue, r.affected(ctx, e.Object, nil))
		},
	}
}

// affected returns the names of the identities that depend on what happened to a namespace; nil stands for one that is not there.
func (r *Reconciler) affected(ctx context.Context, before, after client.Object) []string {
	was, is := observedNamespace(before), observedNamespace(after)
	names := sets.New[string]()
	if was == nil || is == nil || was.Terminating != is.Terminating {
		names.Insert(r.names(ctx, nameOf(was, is))...)
	}
	asked := sets.New(anyNamespace)
	for _, namespace := range []*access.Namespace{was, is} {
		if namespace != nil {
			for _, label := range access.LabelsOf(namespace.Labels) {
				asked.Insert(byLabel + label)
			}
		}
	}
	for label := range asked {
		for _, identity := range r.identities(ctx, client.MatchingFields{indexNamespace: label}) {
			if access.SelectionChanges(&identity, was, is) {
				names.Insert(identity.Name)
			}
		}
	}
	return slices.Collect(maps.Keys(names))
}

// names returns the names of the identities that name a namespace.
func (r *Reconciler) names(ctx context.Context, namespace string) []string {
	var names []string
	for _, identity := range r.identities(ctx, client.MatchingFields{indexNamespace: namespace}) {
		names = append(names, identity.Name)
	}
	return names
}

func nameOf(was, is *access.Namespace) string {
	if is != nil {
		return is.Name
	}
	return was.Name
}

// observedNamespace returns what is known of a namespace; nil for nil.
func observedNamespace(object client.Object) *access.Namespace {
	if object == nil {
		return nil
	}
	namespace := look.AsNamespace(object)
	return &namespace
}

// namespaceChanged lets through what may change where bindings and Secrets can stand: a namespace that comes,
// goes, begins to go, or changes its labels.
func namespaceChanged() predicate.Predicate {
	going := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetDeletionTimestamp() != nil })
	return predicate.Or(predicate.LabelChangedPredicate{}, going, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID()
	}})
}
