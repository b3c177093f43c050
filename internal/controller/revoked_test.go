// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// revokes is a change of the spec.
func revokes(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(time.Minute) }

// onlyBinding returns the one cluster-wide binding.
func onlyBinding(w *world) *rbacv1.ClusterRoleBinding {
	w.t.Helper()
	var list rbacv1.ClusterRoleBindingList
	if err := w.api.List(w.t.Context(), &list); err != nil || len(list.Items) != 1 {
		w.t.Fatalf("%d bindings (%v)", len(list.Items), err)
	}
	return &list.Items[0]
}

func TestABindingWhoseSubjectsAdmissionRestoresIsDeletedByARevocation(t *testing.T) {
	w := newWorld(t, identity("alice", reads, boundToCredential))
	w.ready("alice")
	old := onlyBinding(w)
	w.after = func(call string, object client.Object) error {
		if b, ok := object.(*rbacv1.ClusterRoleBinding); ok && call == "patch ClusterRoleBinding" {
			b.Subjects = old.Subjects // 200, and nothing changed
		}
		return nil
	}
	w.change("alice", revokes)
	w.step(2 * time.Minute)
	w.passes("alice", 4)
	w.step(2 * time.Minute)
	alice := w.ready("alice")
	expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, "True", v1alpha1.ReasonRevoked)
	if is := onlyBinding(w); is.UID == old.UID || is.Subjects[0].Name == old.Subjects[0].Name {
		t.Errorf("it was not made anew: %+v", is)
	}
}

func TestABindingOfNobodyThatNamesTheOldCredentialIsToldAndNotTouched(t *testing.T) {
	w := newWorld(t, identity("alice", reads, boundToCredential))
	before := w.ready("alice")
	stripped := onlyBinding(w).DeepCopy()
	planted := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "stripped"}, RoleRef: stripped.RoleRef, Subjects: stripped.Subjects}
	w.add(planted)
	w.change("alice", revokes)
	w.step(2 * time.Minute)
	alice := w.passes("alice", 6)
	expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, "False", v1alpha1.ReasonBindingNotRevoked)
	c := meta.FindStatusCondition(alice.Status.Conditions, v1alpha1.ConditionRevocationComplete)
	if c == nil || !strings.Contains(c.Message, `ClusterRoleBinding "stripped"`) {
		t.Errorf("says %+v", c)
	}
	if alice.Status.Certificate.Fingerprint != before.Status.Certificate.Fingerprint {
		t.Error("something was published meanwhile")
	}
	if !w.exists(planted, "", "stripped") || len(planted.Subjects) != 1 {
		t.Fatal("it was touched")
	}
	if err := w.api.Delete(t.Context(), planted); err != nil {
		t.Fatal(err)
	}
	w.step(time.Minute)
	alice = w.ready("alice")
	expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, "True", v1alpha1.ReasonRevoked)
	if alice.Status.Certificate.Revision != 2 {
		t.Errorf("revision %d, want 2", alice.Status.Certificate.Revision)
	}
}

func TestARevocationIsLookedIntoOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(*world)
		want      int
	}{
		"where its certificate is signed at once":  {meanwhile: func(*world) {}, want: 1},
		"and again where the signer takes a while": {meanwhile: func(w *world) { w.step(lookCounts) }, want: 2},
		"and again by an operator that has just begun": {
			// It has no key any more, and asks for another certificate. It looks when it begins, too.
			meanwhile: func(w *world) { w.restart(); _, _ = w.pass("alice") }, want: 3,
		},
		"and again where another one follows": {
			meanwhile: func(w *world) {
				w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = at(2 * time.Minute) })
				_, _ = w.pass("alice")
			},
			want: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice", reads, boundToCredential))
			w.ready("alice")
			before := w.calls[liveList]
			w.change("alice", revokes)
			w.step(2 * time.Minute)
			if _, err := w.pass("alice"); err != nil {
				t.Fatal(err)
			}
			tt.meanwhile(w)
			alice := w.ready("alice")
			expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, metav1.ConditionTrue, v1alpha1.ReasonRevoked)
			if got := w.calls[liveList] - before; got != tt.want {
				t.Errorf("looked %d times, want %d", got, tt.want)
			}
		})
	}
}

func TestARevocationThatIsUndoneMeanwhileIsLookedIntoAgain(t *testing.T) {
	w := newWorld(t, identity("alice", reads, boundToCredential))
	before := w.ready("alice")
	old := onlyBinding(w)
	w.change("alice", revokes)
	w.step(2 * time.Minute)
	if _, err := w.pass("alice"); err != nil {
		t.Fatal(err)
	}
	looked := w.calls[liveList]
	undone := onlyBinding(w)
	undone.Subjects = old.Subjects
	if err := w.api.Update(t.Context(), undone); err != nil {
		t.Fatal(err)
	}
	w.before = failing("patch ClusterRoleBinding", 1, errors.New("away"))
	alice := w.passes("alice", 1)
	if alice.Status.Certificate.Fingerprint != before.Status.Certificate.Fingerprint {
		t.Error("something was published meanwhile")
	}
	alice = w.ready("alice")
	expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, metav1.ConditionTrue, v1alpha1.ReasonRevoked)
	if w.calls[liveList] == looked {
		t.Error("nobody looked again")
	}
}

// liveList is a look at the bindings past the cache.
const liveList = "live list *v1.ClusterRoleBindingList"
