// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

const (
	collectionTimeout = 2 * time.Minute
	collectionRound   = 2 * time.Second
)

// WaitForGarbageCollection waits until the garbage collector knows a kind: it learns of a new CRD up to 30 s late. It
// makes cluster-scoped owners by newOwner, which nothing else may act upon, each with a dependent ConfigMap in
// namespace default, and deletes them, until a dependent goes at once. It leaves neither behind.
//
// A restart of the controller manager after the CRD is established shortens the wait to about 2 s.
func (cp *ControlPlane) WaitForGarbageCollection(
	ctx context.Context, c client.Client, newOwner func(name string) client.Object,
) error {
	ctx, cancel := context.WithTimeout(ctx, collectionTimeout)
	defer cancel()
	last := ctx.Err()
	for ctx.Err() == nil {
		name := "gc-probe-" + rand.String(8)
		dependent, err := collectable(ctx, c, newOwner(name))
		if err != nil {
			return fmt.Errorf("probing the garbage collector: %w", err)
		}
		last = poll(ctx, collectionRound, "waiting for the garbage collector", func(ctx context.Context) error {
			err := c.Get(ctx, client.ObjectKeyFromObject(dependent), &corev1.ConfigMap{})
			if err == nil {
				return fmt.Errorf("ConfigMap %s is still there", client.ObjectKeyFromObject(dependent))
			}
			return client.IgnoreNotFound(err)
		})
		if last == nil {
			return nil
		}
		if err := c.Delete(context.WithoutCancel(ctx), dependent); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return last
}

// collectable creates the owner and a ConfigMap that depends on it, deletes the owner, and returns the ConfigMap.
func collectable(ctx context.Context, c client.Client, owner client.Object) (*corev1.ConfigMap, error) {
	if err := c.Create(ctx, owner); err != nil {
		return nil, err
	}
	gvk, err := apiutil.GVKForObject(owner, c.Scheme())
	if err != nil {
		return nil, err
	}
	dependent := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name:      owner.GetName(),
		Namespace: metav1.NamespaceDefault,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: gvk.GroupVersion().String(),
			Kind:       gvk.Kind,
			Name:       owner.GetName(),
			UID:        owner.GetUID(),
		}},
	}}
	if err := c.Create(ctx, dependent); err != nil {
		return nil, err
	}
	return dependent, c.Delete(ctx, owner)
}
