// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// movedAndChanged is a change of the spec that moves the Secret and asks for another certificate.
func movedAndChanged(id *v1alpha1.ClientIdentity) {
	id.Spec.Secret.Name = "elsewhere"
	id.Spec.Groups = []string{"others"}
}

func TestAMovedSecretIsNeverGoneWhileAnotherCertificateIsIssued(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	w.signs = nil
	w.change("alice", movedAndChanged)
	for n := range 4 {
		alice := w.passes("alice", 1)
		expectCondition(t, &alice.Status, v1alpha1.ConditionCertificateIssued, "True", meta.FindStatusCondition(alice.Status.Conditions, v1alpha1.ConditionCertificateIssued).Reason)
		ref := alice.Status.SecretRef
		if !w.exists(&corev1.Secret{}, ref.Namespace, ref.Name) {
			t.Errorf("pass %d: the Secret %s that the status speaks of is gone", n, ref.Name)
		}
	}
	if alice := w.get("alice"); alice.Status.SecretRef.Name != "elsewhere" || w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") {
		t.Errorf("the credential did not move: %+v", alice.Status.SecretRef)
	}
	w.expectCalls(createsCSR, 2)
}

func TestAnOperatorThatDiesWhileASecretMovesLosesNoCredential(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Name = "elsewhere" })
	w.before = failing(patchesStatus, 1, errors.New("killed"))
	w.passes("alice", 1)
	w.restart()
	if !w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") || !w.exists(&corev1.Secret{}, testNamespace, "elsewhere") {
		t.Error("a Secret is gone before the status speaks of the other one")
	}
	w.ready("alice")
	if w.exists(&corev1.Secret{}, testNamespace, "alice-kubeconfig") {
		t.Error("the former Secret is left")
	}
	w.expectCalls(createsCSR, 1)
}

func TestTheOldestNamesakeIsTheOneThatIsNamed(t *testing.T) {
	shared := func(age time.Duration) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) { id.Spec.Username, id.CreationTimestamp = "shared", *at(-age) }
	}
	w := newWorld(t, identity("aaa", shared(2*time.Hour)), identity("zzz", shared(3*time.Hour)), identity("mmm", shared(time.Hour)))
	mmm := w.passes("mmm", 1)
	c := meta.FindStatusCondition(mmm.Status.Conditions, v1alpha1.ConditionReady)
	if want := `ClientIdentity "zzz", which is older,`; c == nil || len(c.Message) < len(want) || c.Message[:len(want)] != want {
		t.Errorf("says %+v, want %s ...", c, want)
	}
}

func TestAConflictHidesNoOtherError(t *testing.T) {
	w := newWorld(t, identity("alice", reads, func(id *v1alpha1.ClientIdentity) {
		id.Spec.ClusterRoleBindings = append(id.Spec.ClusterRoleBindings, v1alpha1.ClusterRoleBinding{Name: "second", RoleRef: v1alpha1.ClusterRoleRef{Name: "edit"}})
	}))
	w.before = func(call string, object client.Object) error {
		b, ok := object.(*rbacv1.ClusterRoleBinding)
		switch {
		case !ok || call != "create ClusterRoleBinding":
			return nil
		case b.RoleRef.Name == "view":
			return crashed
		}
		return apierrors.NewConflict(rbacResource, b.Name, errors.New("changed"))
	}
	alice := w.passes("alice", 3)
	expectCondition(t, &alice.Status, v1alpha1.ConditionAccessBound, "False", v1alpha1.ReasonUnavailable)
	if alice.Status.ObservedGeneration != alice.Generation {
		t.Error("the conditions of the pass are dropped")
	}
}

func TestNothingIsGivenToAHolderWhileItsUsernameIsInUse(t *testing.T) {
	shared := func(id *v1alpha1.ClientIdentity) { id.Spec.Username = "shared" }
	w := newWorld(t, identity("older", shared, boundToCredential), identity("younger", shared, boundToCredential))
	w.ready("younger")
	w.change("older", func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToUsername })
	w.change("younger", readable)
	younger := w.passes("younger", 3)
	expectCondition(t, &younger.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonUsernameInUse)
	if got := readerRoles(w); len(got) > 0 {
		t.Errorf("may read %q", got)
	}
}

func TestACertificateThatEndsWhileItsUsernameIsInUseIsSaidToHaveEnded(t *testing.T) {
	shared := func(id *v1alpha1.ClientIdentity) { id.Spec.Username = "shared" }
	w := newWorld(t, identity("older", shared, boundToCredential), identity("younger", shared, boundToCredential))
	w.ready("younger")
	w.change("older", func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToUsername })
	w.passes("younger", 2)
	w.step(30 * time.Minute)
	result, err := w.pass("younger")
	if err != nil || result.RequeueAfter > 30*time.Minute || result.RequeueAfter == 0 {
		t.Errorf("looks again after %s (%v), want when the certificate ends", result.RequeueAfter, err)
	}
	w.step(30 * time.Minute)
	younger := w.passes("younger", 1)
	expectCondition(t, &younger.Status, v1alpha1.ConditionCertificateIssued, "False", v1alpha1.ReasonUsernameInUse)
}
