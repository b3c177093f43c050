// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// dependentMeta returns the metadata of an object that this identity owns. The garbage collector deletes it
// with the identity; it never blocks that deletion.
func (p *pass) dependentMeta(key client.ObjectKey) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: key.Namespace,
		Name:      key.Name,
		Labels: map[string]string{
			v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue,
			v1alpha1.IdentityLabel:  p.identity.Name,
		},
		OwnerReferences: []metav1.OwnerReference{p.controllerReference()},
	}
}

func (p *pass) controllerReference() metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion:         v1alpha1.GroupVersion.String(),
		Kind:               "ClientIdentity",
		Name:               p.identity.Name,
		UID:                p.identity.UID,
		Controller:         ptr.To(true),
		BlockOwnerDeletion: ptr.To(false),
	}
}
