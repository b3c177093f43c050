// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/operator"
)

// floor is the bare client without what tells of its work: there is no custom resource, no status and no event. It is for
// orientation; nobody could know from the cluster what it was asked for.
type floor struct{ *bare }

func newFloor(w *world) *floor {
	c := newBare(w)
	c.meta = func(id *v1alpha1.ClientIdentity, key client.ObjectKey) metav1.ObjectMeta {
		meta := dependent.Meta(id, key)
		meta.OwnerReferences = nil // the garbage collector would take what belongs to nobody
		return meta
	}
	return &floor{bare: c}
}

func (c *floor) name() result.Subject { return result.Floor }

func (c *floor) phases() []result.Phase { return []result.Phase{result.Alone, result.Issue} }

func (c *floor) carryOut(ctx context.Context, _ result.Phase, b *batch) error {
	return inParallel(b.workers, b.count, func(i int) error {
		b.begin(i)
		if err := c.provide(ctx, c.unstored(b, i)); err != nil {
			return err
		}
		b.end(i)
		return nil
	})
}

// unstored returns an identity that nobody stores, as if the API server had filled in its defaults.
func (c *floor) unstored(b *batch, i int) *v1alpha1.ClientIdentity {
	id := c.identity(b, i)
	id.UID = types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	id.Spec.SignerName = certificatesv1.KubeAPIServerClientSignerName
	id.Spec.TTL.Duration = 90 * 24 * time.Hour
	id.Spec.Secret.KubeconfigKey = "kubeconfig"
	return id
}

func (c *floor) provide(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	if err := c.bind(ctx, id); err != nil {
		return err
	}
	_, secret, err := c.credential(ctx, id)
	if err != nil {
		return err
	}
	return c.as.Create(ctx, secret)
}

// clear deletes everything: nothing has an owner that takes it along.
func (c *floor) clear(ctx context.Context, _ *batch) error {
	ours := client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
	labelled := client.HasLabels{v1alpha1.IdentityLabel}
	// The API server gives up on a collection that takes too long.
	return until(ctx, time.Second, collectBound, "deleting what has no owner", func() (bool, error) {
		var errs []error
		for i := range c.Namespaces {
			errs = append(errs, c.admin.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, client.InNamespace(namespace(i)), ours, labelled))
		}
		errs = append(errs,
			c.admin.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(operator.SecretNamespace), ours, labelled),
			c.admin.DeleteAllOf(ctx, &certificatesv1.CertificateSigningRequest{}, ours, labelled))
		return true, errors.Join(errs...)
	})
}
