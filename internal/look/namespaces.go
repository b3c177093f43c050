// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package look

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// IndexLabels is the index of the caches that finds namespaces by their labels.
const IndexLabels = "labels"

// LabelsOf is the function of IndexLabels.
func LabelsOf(namespace client.Object) []string { return access.LabelsOf(namespace.GetLabels()) }

// bindingNamespaces returns the namespaces that the bindings may be about: those that they name, and those with a label that a
// selector asks for. All there are are read only for a selector that may select one with any labels.
func (o *Observer) bindingNamespaces(ctx context.Context, identity *v1alpha1.ClientIdentity) ([]access.Namespace, error) {
	named, labels := sets.New[string](), sets.New[string]()
	for i := range identity.Spec.RoleBindings {
		b := &identity.Spec.RoleBindings[i]
		if b.NamespaceSelector == nil {
			named.Insert(b.Namespace)
			continue
		}
		asked := access.LabelsFor(b.NamespaceSelector)
		if asked == nil {
			return o.listNamespaces(ctx)
		}
		labels.Insert(asked...)
	}
	var namespaces []access.Namespace
	var errs []error
	for name := range named {
		namespace, err := Namespace(ctx, o.Reader, name)
		if err != nil {
			errs = append(errs, err)
		} else if namespace != nil {
			namespaces = append(namespaces, AsNamespace(namespace))
		}
	}
	for label := range labels {
		with, err := o.listNamespaces(ctx, client.MatchingFields{IndexLabels: label})
		if err != nil {
			errs = append(errs, err)
		}
		for _, namespace := range with {
			if !named.Has(namespace.Name) { // it may have several of the labels
				named.Insert(namespace.Name)
				namespaces = append(namespaces, namespace)
			}
		}
	}
	return namespaces, errors.Join(errs...)
}

func (o *Observer) listNamespaces(ctx context.Context, options ...client.ListOption) ([]access.Namespace, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := o.Reader.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	namespaces := make([]access.Namespace, 0, len(list.Items))
	for i := range list.Items {
		namespaces = append(namespaces, AsNamespace(&list.Items[i]))
	}
	return namespaces, nil
}

// AsNamespace returns what is known of a namespace.
func AsNamespace(namespace client.Object) access.Namespace {
	return access.Namespace{Name: namespace.GetName(), Labels: namespace.GetLabels(), Terminating: namespace.GetDeletionTimestamp() != nil}
}

// Namespace returns the metadata of a namespace from the cache, or nil where there is none.
func Namespace(ctx context.Context, reader client.Reader, name string) (*metav1.PartialObjectMetadata, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read namespace %q: %w", name, err)
	}
	return namespace, nil
}
