// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// A binding lost its labels before the operator began; the identity is withdrawn, and each look at all bindings takes longer than a pass
// waits, with the rest after it.
func TestAWithdrawalTakesAwayWhatLostItsLabelsHoweverLongLooksTake(t *testing.T) {
	const took = 300 * time.Millisecond
	w := newWorld(t, identity("alice", reads))
	w.ready("alice")
	b := onlyBinding(w)
	b.Labels = nil
	if err := w.api.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.stop = func() {}
	w.change("alice", withdrawn)
	ours := func(o client.Object) bool { return o.GetLabels()[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue }
	cached := w.intercept("")
	cached.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
		err := c.Get(ctx, key, object, opts...)
		if _, ok := object.(*rbacv1.ClusterRoleBinding); ok && err == nil && !ours(object) {
			return apierrors.NewNotFound(rbacv1.Resource("clusterrolebindings"), key.Name)
		}
		return err
	}
	cached.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		err := c.List(ctx, list, opts...)
		if l, ok := list.(*rbacv1.ClusterRoleBindingList); ok && err == nil {
			var kept []rbacv1.ClusterRoleBinding
			for i := range l.Items {
				if ours(&l.Items[i]) {
					kept = append(kept, l.Items[i])
				}
			}
			l.Items = kept
		}
		return err
	}
	live := w.intercept("live ")
	inner := live.List
	live.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		if _, ok := list.(*rbacv1.ClusterRoleBindingList); ok {
			time.Sleep(took)
		}
		return inner(ctx, c, list, opts...)
	}
	w.Reconciler = New(Dependencies{
		Cached: interceptor.NewClient(w.base, cached), Live: interceptor.NewClient(w.base, live),
		Prover: w.prover, Cluster: w.facts, Events: w.events, Clock: w.clock, ClientCAsChanged: w.clientCAsChanged,
	}, Options{Places: places, ClusterName: "test", AllowedSigners: []string{certificatesv1.KubeAPIServerClientSignerName}, SlowLook: time.Minute, IssuerInterval: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		w.bindings.writer.Look(ctx, clock.RealClock{}, func(name string) { told <- name })
	}()
	defer func() { stop(); <-ended }()
	end := time.After(time.Minute)
	passes := 0
	for {
		select {
		case <-told:
		case <-time.After(3 * time.Second): // Conclusion.Next, at the latest
		case <-end:
			a := w.get("alice")
			t.Fatalf("after %d passes and a minute: the binding grants: %v, conditions %+v", passes, w.exists(&rbacv1.ClusterRoleBinding{}, "", b.Name), a.Status.Conditions)
		}
		passes++
		if _, err := w.pass("alice"); err != nil {
			t.Log(err)
		}
		if a := w.get("alice"); meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionWithdrawn) {
			if w.exists(&rbacv1.ClusterRoleBinding{}, "", b.Name) {
				t.Errorf("withdrawn after %d passes, and the binding is there", passes)
			}
			return
		}
	}
}

// Somebody plants many bindings without subjects or labels, owned by alice, that a finalizer keeps.
func TestPlantedBindingsThatAreHeldHoldUpNoRevocation(t *testing.T) {
	const count = 1001
	w := newWorld(t, identity("alice", reads, boundToCredential))
	alice := w.ready("alice")
	yes := true
	for range count {
		w.uids++
		b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Namespace: "evil", Name: "p" + time.Duration(w.uids).String(), Finalizers: []string{"evil.example.com/held"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: "alice", UID: alice.UID, Controller: &yes}},
		}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}}
		w.add(b)
		if err := w.api.Delete(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	w.change("alice", revokes)
	w.step(2 * time.Minute)
	for range 6 {
		w.passes("alice", 1)
		w.step(2 * time.Second)
	}
	a := w.get("alice")
	c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionRevocationComplete)
	if c == nil || c.Status != metav1.ConditionTrue || a.Status.Certificate.Revision != 2 {
		t.Errorf("the revocation is not complete, or nothing new is published: revision %d, %+v", a.Status.Certificate.Revision, c)
	}
}
