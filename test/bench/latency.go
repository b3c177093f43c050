// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

// latencies measures, one identity at a time, how long a fresh one takes, and how long after a revocation the old kubeconfig
// still works, each beside a bare client that does the same; and prints the medians.
func (b *bench) latencies(ctx context.Context, count int) error {
	if count == 0 {
		return nil
	}
	one := *b
	one.workers = 1
	var bare, fresh, patched, revoked []time.Duration
	for i := range count {
		took, err := one.bare(ctx, fmt.Sprintf("bare-alone-%d", i), 1)
		if err != nil {
			return fmt.Errorf("bare client: %w", err)
		}
		bare = append(bare, took)
	}
	running, err := operator.Start(ctx, b.connection, func(o *manager.Options) { o.ConcurrentReconciles = b.workers })
	if err != nil {
		return err
	}
	defer func() { _ = running.Stop() }()
	for i := range count {
		id := identity("alone", i)
		id.Spec.BindTo = v1alpha1.BindToCredential
		took, err := b.untilReady(ctx, id)
		if err != nil {
			return err
		}
		fresh = append(fresh, took)
		if took, err = b.untilRevoked(ctx, id); err != nil {
			return err
		}
		revoked = append(revoked, took)
		if took, err = b.untilPatched(ctx, id); err != nil {
			return err
		}
		patched = append(patched, took)
	}
	told := func(what string, bare, ours []time.Duration) {
		slices.Sort(bare)
		slices.Sort(ours)
		fmt.Printf("%s, of %d, one at a time: bare client %.0f ms, operator %.0f ms (median; at most %.0f ms), ratio %.2f\n", what, count,
			milliseconds(bare[count/2]), milliseconds(ours[count/2]), milliseconds(ours[count-1]), ours[count/2].Seconds()/bare[count/2].Seconds())
	}
	told("time until a fresh identity is ready", bare, fresh)
	told("time until a revoked kubeconfig is refused", patched, revoked)
	return b.deleteAll(ctx)
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// untilReady measures the time from an identity's creation until it is ready.
func (b *bench) untilReady(ctx context.Context, id *v1alpha1.ClientIdentity) (time.Duration, error) {
	watch, err := b.admin.Watch(ctx, &v1alpha1.ClientIdentityList{})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	start := time.Now()
	if err := b.admin.Create(ctx, id); err != nil {
		return 0, err
	}
	for event := range watch.ResultChan() {
		if seen, ok := event.Object.(*v1alpha1.ClientIdentity); ok && seen.Name == id.Name && isReady(seen) {
			return time.Since(start), nil
		}
	}
	return 0, errors.New("the watch ended")
}

// untilRevoked measures the time from a revocation until the kubeconfig from before is refused what was bound to it.
func (b *bench) untilRevoked(ctx context.Context, id *v1alpha1.ClientIdentity) (time.Duration, error) {
	holder, err := b.holder(ctx, id)
	if err != nil {
		return 0, err
	}
	// Whole seconds: the certificate was asked for in this one, or before.
	patch := fmt.Sprintf(`{"spec":{"revokeIssuedBefore":%q}}`, time.Now().UTC().Format(time.RFC3339))
	start := time.Now()
	if err := b.admin.Patch(ctx, id.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return 0, err
	}
	return untilRefused(ctx, holder, "default", start)
}

// bareNamespace is where a bare client binds, and the operator does not.
const bareNamespace = "kube-public"

// untilPatched measures the same where a bare client takes rights away, by a patch of one binding of its own.
func (b *bench) untilPatched(ctx context.Context, id *v1alpha1.ClientIdentity) (time.Duration, error) {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: bareNamespace, Name: "bench-" + id.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id.Spec.Username}},
	}
	if err := b.admin.Create(ctx, binding); err != nil {
		return 0, err
	}
	holder, err := b.holder(ctx, id)
	if err != nil {
		return 0, err
	}
	for reads(ctx, holder, bareNamespace) != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	start := time.Now()
	if err := b.admin.Patch(ctx, binding.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"subjects":null}`))); err != nil {
		return 0, err
	}
	took, err := untilRefused(ctx, holder, bareNamespace, start)
	return took, errors.Join(err, b.admin.Delete(ctx, binding))
}

// holder returns a client of the published kubeconfig.
func (b *bench) holder(ctx context.Context, id *v1alpha1.ClientIdentity) (client.Client, error) {
	if err := b.admin.Get(ctx, client.ObjectKeyFromObject(id), id); err != nil {
		return nil, err
	}
	secret := &corev1.Secret{}
	if err := b.admin.Get(ctx, client.ObjectKey{Namespace: id.Status.SecretRef.Namespace, Name: id.Status.SecretRef.Name}, secret); err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data["kubeconfig"])
	if err != nil {
		return nil, errors.New("the published kubeconfig is none") // the error may quote it
	}
	config.QPS = -1
	return client.New(config, client.Options{Scheme: manager.Scheme()})
}

// reads returns nil where the holder may read ConfigMaps in a namespace.
func reads(ctx context.Context, holder client.Client, namespace string) error {
	return client.IgnoreNotFound(holder.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "no-such"}, &corev1.ConfigMap{}))
}

// untilRefused asks until the holder is refused.
func untilRefused(ctx context.Context, holder client.Client, namespace string, start time.Time) (time.Duration, error) {
	for {
		switch err := reads(ctx, holder, namespace); {
		case apierrors.IsForbidden(err):
			return time.Since(start), nil
		case err != nil:
			return 0, err
		}
	}
}
