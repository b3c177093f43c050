// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/bench/result"
)

const (
	// renewRequest is the value of the annotation that asks for a renewal.
	renewRequest = "bench"
	// anotherGroup and anotherRole are what changes bring.
	anotherGroup = "team-a"
	anotherRole  = "edit"
	// collectBound is how long the garbage collector may take.
	collectBound = time.Hour
)

// change is what an administrator changes of an identity, and how it looks when that had its effect.
type change struct {
	edit func(*v1alpha1.ClientIdentity)
	done func(*v1alpha1.ClientIdentity) bool
}

// changes are those of existing identities. Whoever looks must not take an identity from before the change for one from after it.
var changes = map[result.Phase]change{
	result.Renew: {
		edit: func(id *v1alpha1.ClientIdentity) {
			id.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: renewRequest}
		},
		done: func(id *v1alpha1.ClientIdentity) bool {
			return isReady(id) && id.Status.LastHandledRenewRequest == renewRequest
		},
	},
	result.Groups: {
		edit: func(id *v1alpha1.ClientIdentity) { id.Spec.Groups = append(id.Spec.Groups, anotherGroup) },
		done: func(id *v1alpha1.ClientIdentity) bool {
			return isReady(id) && len(id.Status.Certificates) > 0 && slices.Contains(id.Status.Certificates[0].Groups, anotherGroup)
		},
	},
	result.Bindings: {
		edit: func(id *v1alpha1.ClientIdentity) {
			for i := range id.Spec.RoleBindings {
				id.Spec.RoleBindings[i].RoleRef.Name = anotherRole
			}
		},
		done: func(id *v1alpha1.ClientIdentity) bool {
			return isReady(id) && id.Spec.RoleBindings[0].RoleRef.Name == anotherRole && id.Status.ObservedGeneration == id.Generation
		},
	},
	result.Withdraw: {
		edit: func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn },
		done: func(id *v1alpha1.ClientIdentity) bool {
			return meta.IsStatusConditionTrue(id.Status.Conditions, v1alpha1.ConditionWithdrawn)
		},
	},
	result.Activate: {
		edit: func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateActive },
		done: func(id *v1alpha1.ClientIdentity) bool { return isReady(id) && id.Spec.State == v1alpha1.StateActive },
	},
}

func isReady(id *v1alpha1.ClientIdentity) bool {
	return slices.ContainsFunc(id.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
	})
}

// expectReady waits for new identities.
func (w *world) expectReady(b *batch) {
	w.observer.expect(b, func(id *v1alpha1.ClientIdentity, _ bool) bool { return isReady(id) })
}

// create makes all identities of a batch, or one after the other is ready where one is worked on at a time.
func (w *world) create(ctx context.Context, b *batch) error {
	w.expectReady(b)
	return inParallel(b.workers, b.count, func(i int) error {
		b.begin(i)
		if err := w.admin.Create(ctx, w.identity(b, i)); err != nil || b.workers > 1 {
			return err
		}
		return b.wait(ctx, i)
	})
}

// change changes all identities of a batch, and calls then with each, if it is set.
func (w *world) change(ctx context.Context, phase result.Phase, b *batch, then func(i int, id *v1alpha1.ClientIdentity) error) error {
	c := changes[phase]
	w.observer.expect(b, func(id *v1alpha1.ClientIdentity, _ bool) bool { return c.done(id) })
	return inParallel(b.workers, b.count, func(i int) error {
		before, id := w.identity(b, i), w.identity(b, i)
		c.edit(id)
		b.begin(i)
		if err := w.admin.Patch(ctx, id, client.MergeFrom(before)); err != nil || then == nil {
			return err
		}
		return then(i, id)
	})
}

// delete deletes all identities of a batch, and waits until what belonged to them is collected.
func (w *world) delete(ctx context.Context, b *batch) error {
	if b.stopwatch != nil {
		w.observer.expect(b, func(_ *v1alpha1.ClientIdentity, deleted bool) bool { return deleted })
	}
	err := inParallel(b.workers, b.count, func(i int) error {
		if b.stopwatch != nil {
			b.begin(i)
		}
		return client.IgnoreNotFound(w.admin.Delete(ctx, &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: b.nameOf(i)}}))
	})
	if err != nil {
		return err
	}
	return w.untilCollected(ctx)
}

// kindsOfDependents are what belongs to identities.
var kindsOfDependents = []metav1.TypeMeta{
	{APIVersion: "v1", Kind: "SecretList"},
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBindingList"},
	{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequestList"},
}

// untilCollected waits until the garbage collector has taken all that belonged to identities.
func (w *world) untilCollected(ctx context.Context) error {
	for _, kind := range kindsOfDependents {
		err := until(ctx, 200*time.Millisecond, collectBound, fmt.Sprintf("the garbage collector takes what is in the %s", kind.Kind), func() (bool, error) {
			list := &metav1.PartialObjectMetadataList{TypeMeta: kind}
			err := w.admin.List(ctx, list, client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}, client.HasLabels{v1alpha1.IdentityLabel}, client.Limit(1))
			return len(list.Items) == 0, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
