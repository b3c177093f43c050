// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/secret"
)

func withdrawn(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }

func TestWithdrawalSaysWhatItCannotSee(t *testing.T) {
	for name, test := range map[string]struct {
		given func(*world)
		done  bool
	}{
		"a Secret where the operator may not look any more": {func(w *world) {
			w.before = func(call string, _ client.Object) error {
				if call == "live get Secret" || call == "live get PartialObjectMetadata" {
					return forbidden
				}
				return nil
			}
		}, false},
		"a namespace that is gone, with the operator's rights in it": {func(w *world) {
			if err := w.api.Delete(w.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}}); err != nil {
				w.t.Fatal(err)
			}
			if err := w.api.Delete(w.t.Context(), secretOf(w, "alice")); err != nil {
				w.t.Fatal(err)
			}
			w.before = failing("live get Secret", 10, forbidden)
		}, true},
		"a Secret where it may still look": {func(*world) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice", reads))
			w.ready("alice")
			w.withdrawal.secrets.Places = secret.Places{Namespaces: []string{"others"}, Default: "others"}
			test.given(w)
			w.change("alice", withdrawn)
			alice := w.passes("alice", 3)
			if len(subjects(w)) > 0 {
				t.Error("bindings are left")
			}
			if test.done {
				expectCondition(t, &alice.Status, v1alpha1.ConditionWithdrawn, "True", v1alpha1.ReasonWithdrawnByState)
				return
			}
			expectCondition(t, &alice.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonWithdrawing)
			w.before = nil
			alice = w.passes("alice", 3)
			expectCondition(t, &alice.Status, v1alpha1.ConditionWithdrawn, "True", v1alpha1.ReasonWithdrawnByState)
			if w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") {
				t.Error("the Secret is left")
			}
		})
	}
}

func TestWithdrawalIsTriedAgainWhereTheAPIServerFails(t *testing.T) {
	for _, call := range []string{"delete ClusterRoleBinding", deletesSecret, "live get Secret", patchesStatus} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t, identity("alice", reads))
			w.ready("alice")
			w.before = failing(call, 2, crashed)
			w.change("alice", withdrawn)
			alice := w.passes("alice", 6)
			expectCondition(t, &alice.Status, v1alpha1.ConditionWithdrawn, "True", v1alpha1.ReasonWithdrawnByState)
			expectNoCondition(t, &alice.Status, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling)
			if len(subjects(w)) > 0 || w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") || alice.Status.SecretRef != nil {
				t.Error("something is left")
			}
			writes := w.calls[patchesStatus]
			w.passes("alice", 3)
			w.expectCalls(patchesStatus, writes)
		})
	}
}

func TestResidualAccessNamesTwentyAndCountsAll(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	for n := range 30 {
		w.add(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: fmt.Sprintf("b%02d", n)},
			Subjects: []rbacv1.Subject{{Kind: "Group", Name: "developers"}}})
	}
	w.add(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "alice@example.com"}}})
	w.change("alice", withdrawn)
	alice := w.passes("alice", 3)
	residual := alice.Status.ResidualAccess
	if residual == nil || residual.Total != 31 || len(residual.Bindings) != 20 || residual.Bindings[0].Kind != "ClusterRoleBinding" {
		t.Errorf("got %+v", residual)
	}
}
