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
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// revocations measures, one identity at a time, how long after a revocation the old kubeconfig still works, beside a bare client that
// takes rights away, and when the next one is there; and prints the medians.
func revocations(ctx context.Context, workers, count int) (err error) {
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := operator.Install(ctx, cp); err != nil {
		return err
	}
	b, err := newBench(ctx, cp, workers)
	if err != nil {
		return err
	}
	running, err := operator.Start(ctx, b.connection, func(o *manager.Options) { o.ConcurrentReconciles = workers })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.Stop()) }()
	var patched, revoked, reissued []time.Duration
	for i := range count {
		id := identity("alone", i)
		id.Spec.BindTo = v1alpha1.BindToCredential
		if err := b.untilReady(ctx, id); err != nil {
			return err
		}
		took, next, err := b.untilRevoked(ctx, id)
		if err != nil {
			return err
		}
		revoked, reissued = append(revoked, took), append(reissued, next)
		if took, err = b.untilPatched(ctx, id); err != nil {
			return err
		}
		patched = append(patched, took)
	}
	tell("time until a revoked kubeconfig is refused", revoked, patched)
	tell("time until the next kubeconfig is published", reissued, nil)
	return nil
}

// tell prints the median of what was measured, beside that of a bare client where there is one.
func tell(what string, ours, bare []time.Duration) {
	slices.Sort(ours)
	slices.Sort(bare)
	middle, last := ours[len(ours)/2], ours[len(ours)-1]
	fmt.Printf("%s, of %d, one at a time: operator %.0f ms (median; at most %.0f ms)", what, len(ours), milliseconds(middle), milliseconds(last))
	if len(bare) > 0 {
		other := bare[len(bare)/2]
		fmt.Printf(", bare client %.0f ms, ratio %.2f", milliseconds(other), middle.Seconds()/other.Seconds())
	}
	fmt.Println()
}

// watch watches one identity, and no other: what there is of those would arrive while something is measured.
func (b *bench) watch(ctx context.Context, id *v1alpha1.ClientIdentity) (watch.Interface, error) {
	return b.admin.Watch(ctx, &v1alpha1.ClientIdentityList{}, client.MatchingFields{"metadata.name": id.Name})
}

// untilIssued waits until an identity is ready with that revision of its certificate.
func untilIssued(events watch.Interface, revision int64) error {
	for event := range events.ResultChan() {
		if seen, ok := event.Object.(*v1alpha1.ClientIdentity); ok && isReady(seen) && seen.Status.Certificate.Revision == revision {
			return nil
		}
	}
	return errors.New("the watch ended")
}

// untilReady creates an identity and waits until it is ready.
func (b *bench) untilReady(ctx context.Context, id *v1alpha1.ClientIdentity) error {
	events, err := b.watch(ctx, id)
	if err != nil {
		return err
	}
	defer events.Stop()
	if err := b.admin.Create(ctx, id); err != nil {
		return err
	}
	return untilIssued(events, 1)
}

// untilRevoked measures the time from a revocation until the kubeconfig from before is refused what was bound to it, and until
// the next one is published: what is measured after that is not burdened by it.
func (b *bench) untilRevoked(ctx context.Context, id *v1alpha1.ClientIdentity) (refused, reissued time.Duration, err error) {
	holder, err := b.holder(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	events, err := b.watch(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	defer events.Stop()
	// Whole seconds: the certificate was asked for in this one, or before.
	patch := fmt.Sprintf(`{"spec":{"revokeIssuedBefore":%q}}`, time.Now().UTC().Format(time.RFC3339))
	start := time.Now()
	if err := b.admin.Patch(ctx, id.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return 0, 0, err
	}
	if refused, err = untilRefused(ctx, holder, "default", start); err != nil {
		return 0, 0, err
	}
	err = untilIssued(events, 2)
	return refused, time.Since(start), err
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
	config, err := b.kubeconfig(ctx, id)
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: manager.Scheme()})
}

// kubeconfig returns how the published kubeconfig connects.
func (b *bench) kubeconfig(ctx context.Context, id *v1alpha1.ClientIdentity) (*rest.Config, error) {
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
	return config, nil
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
