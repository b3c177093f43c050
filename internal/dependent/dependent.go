// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package dependent says which objects belong to an identity: what marks them, how they are found in a cache, and
// what is only made to look like one of them. It is pure.
package dependent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// IndexOwner is the index of the caches that finds dependents by the UID of their controller, or, of those without
// one, by the identity that their label names.
const IndexOwner = "owner"

// Meta returns the metadata of an object that an identity owns. The garbage collector deletes it with the
// identity; it never blocks that deletion.
func Meta(identity *v1alpha1.ClientIdentity, key types.NamespacedName) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: key.Namespace,
		Name:      key.Name,
		Labels:    Labels(identity),
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion:         v1alpha1.GroupVersion.String(),
			Kind:               "ClientIdentity",
			Name:               identity.Name,
			UID:                identity.UID,
			Controller:         ptr.To(true),
			BlockOwnerDeletion: ptr.To(false),
		}},
	}
}

// Labels returns the labels that dependents of an identity carry.
func Labels(identity *v1alpha1.ClientIdentity) map[string]string {
	return map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: identity.Name}
}

// Labelled says whether an object has the labels of an identity's dependents.
func Labelled(object metav1.Object, identity *v1alpha1.ClientIdentity) bool {
	labels := object.GetLabels()
	return labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue && labels[v1alpha1.IdentityLabel] == identity.Name
}

// Orphaned says whether an object has an identity's labels and no controller at all, as restored backups do.
func Orphaned(object metav1.Object, identity *v1alpha1.ClientIdentity) bool {
	return metav1.GetControllerOf(object) == nil && Labelled(object, identity)
}

// Keys are the values of IndexOwner under which the dependents of an identity are found: what it controls, and what was
// restored from a backup of it.
func Keys(identity *v1alpha1.ClientIdentity) []string {
	return []string{string(identity.UID), orphanOf(identity.Name)}
}

// orphanOf is the value of IndexOwner for an object with our labels and no controller.
func orphanOf(identity string) string { return "orphan/" + identity }

// Index is the function of IndexOwner.
func Index(object metav1.Object) []string {
	owner := metav1.GetControllerOf(object)
	switch {
	case owner == nil:
		return []string{orphanOf(object.GetLabels()[v1alpha1.IdentityLabel])}
	case IsIdentity(owner):
		return []string{string(owner.UID)}
	}
	return nil
}

// Identities returns the names of the identities that an object may belong to, by owner and by label: somebody may have
// taken one of them off.
func Identities(object metav1.Object) []string {
	var names []string
	label := object.GetLabels()[v1alpha1.IdentityLabel]
	if label != "" {
		names = append(names, label)
	}
	if owner := metav1.GetControllerOf(object); owner != nil && IsIdentity(owner) && owner.Name != label {
		names = append(names, owner.Name)
	}
	return names
}

// IsIdentity says whether an owner is a ClientIdentity.
func IsIdentity(owner *metav1.OwnerReference) bool {
	return owner.Kind == "ClientIdentity" && owner.APIVersion == v1alpha1.GroupVersion.String()
}
