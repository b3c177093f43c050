// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// hold keeps the bindings of an identity by somebody's finalizer.
func hold(w *world) {
	w.t.Helper()
	var bindings rbacv1.ClusterRoleBindingList
	if err := w.api.List(w.t.Context(), &bindings); err != nil || len(bindings.Items) == 0 {
		w.t.Fatalf("%d bindings, %v", len(bindings.Items), err)
	}
	for i := range bindings.Items {
		bindings.Items[i].Finalizers = []string{"example.com/held"}
		if err := w.api.Update(w.t.Context(), &bindings.Items[i]); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestABindingThatIsHeldDoesNotHideThatTheSecretStays(t *testing.T) {
	w := newWorld(t, identity("alice", reads))
	w.ready("alice")
	hold(w)
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn })
	w.before = failing("delete Secret", 100, errors.New("no"))
	for range 4 {
		if _, err := w.pass("alice"); err == nil {
			t.Fatal("nobody tries again to delete the Secret")
		}
	}
	w.before = nil
	if w.passes("alice", 1); w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") {
		t.Error("the Secret is still there")
	}
}

func TestAMissingNamespaceDoesNotHideThatTheReaderIsMissing(t *testing.T) {
	w := newWorld(t, identity("alice", boundToCredential, func(id *v1alpha1.ClientIdentity) {
		id.Spec.Secret.HolderCanRead = true
		id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: "nowhere", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
	}))
	w.before = failing("create Role", 100, errors.New("no"))
	w.passes("alice", 4)
	if _, err := w.pass("alice"); err == nil {
		t.Error("nobody tries again to make the Role")
	}
}

func TestAnIdentityIsWithdrawnAsDormantOnlyWhereThatIsKnownNow(t *testing.T) {
	dormant := func(t *testing.T) *world {
		w := newWorld(t, identity("alice", reads, func(id *v1alpha1.ClientIdentity) { id.Spec.WhenDormant = v1alpha1.WithdrawDormant }))
		w.ready("alice")
		w.dormantAfter = time.Minute
		id := w.get("alice")
		id.Status.DormantSince = at(0)
		if err := w.api.Status().Update(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.step(10 * time.Minute)
		return w
	}
	watched := func(now time.Time) access.Observation {
		return access.Observation{Since: start.Add(-time.Hour), Until: now}
	}

	t.Run("not where uses went unnoticed since that was said", func(t *testing.T) {
		w := dormant(t)
		w.observed = func(time.Time) access.Observation { return access.Observation{} }
		if id := w.passes("alice", 3); id.Status.Certificate == nil || id.Status.DormantSince != nil {
			t.Errorf("certificate %v, dormant since %v: want a certificate, and nothing said", id.Status.Certificate, id.Status.DormantSince)
		}
	})
	t.Run("also where a copy is used once that has begun", func(t *testing.T) {
		w := dormant(t)
		w.observed = watched
		w.before = failing("delete Secret", 100, errors.New("no"))
		w.passes("alice", 3)
		id := w.get("alice")
		id.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Fingerprint: "f", Time: *at(5 * time.Minute)}}
		if err := w.api.Status().Update(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.passes("alice", 1)
		var bindings rbacv1.ClusterRoleBindingList
		if err := w.api.List(t.Context(), &bindings, client.InNamespace("")); err != nil || len(bindings.Items) > 0 {
			t.Errorf("%d bindings, %v: a use brings access back", len(bindings.Items), err)
		}
		w.before = nil
		if id := w.passes("alice", 3); id.Status.State != v1alpha1.ObservedWithdrawn {
			t.Errorf("is %s, want it withdrawn", id.Status.State)
		}
	})
}
