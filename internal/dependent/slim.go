// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package dependent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/text"
)

// keptText bounds, in bytes, a name or a message that is kept. None of ours is nearly as long, so that a cut one
// equals none of them.
const keptText = 1024

// LabelNames are the names of the labels that dependents carry.
var LabelNames = []string{v1alpha1.ManagedByLabel, v1alpha1.IdentityLabel}

// Slim drops from metadata what the operator does not look at: names and values are bounded, and others wrote the rest.
func Slim(object metav1.Object) {
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	object.SetNamespace(text.Shared(object.GetNamespace()))
	labels := map[string]string{}
	for _, name := range LabelNames {
		if value, ok := object.GetLabels()[name]; ok {
			labels[name] = value
			if name == v1alpha1.ManagedByLabel {
				labels[name] = text.Shared(value)
			}
		}
	}
	object.SetLabels(labels)
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		// That there is one is all that matters.
		object.SetFinalizers([]string{Cut(finalizers[0])})
	}
	var owners []metav1.OwnerReference
	if owner := metav1.GetControllerOf(object); owner != nil {
		owner.APIVersion, owner.Kind = text.Shared(Cut(owner.APIVersion)), text.Shared(Cut(owner.Kind))
		owner.Name, owner.UID = Cut(owner.Name), Cut(owner.UID)
		owners = append(owners, *owner)
	}
	object.SetOwnerReferences(owners)
}

// Cut returns a copy of at most keptText bytes, so that the long original can be freed.
func Cut[T ~string](long T) T {
	if len(long) <= keptText {
		return long
	}
	return T(append([]byte(nil), long[:keptText]...))
}
