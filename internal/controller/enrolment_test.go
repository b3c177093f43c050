// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/secret"
)

func TestTheServiceAccountIsMadeOnceWhateverFails(t *testing.T) {
	for _, call := range []string{"create ServiceAccount", patchesStatus, "create Secret"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t, identity("alice", byHolder))
			w.before = failing(call, 2, crashed)
			alice := w.passes("alice", 8)
			if alice.Status.EnrolmentRef == nil || alice.Status.EnrolmentRef.UID != w.account() {
				t.Errorf("the status speaks of %+v, and there is %q", alice.Status.EnrolmentRef, w.account())
			}
			w.enrollable()
		})
	}
	t.Run("an answer that is lost", func(t *testing.T) {
		w := newWorld(t, identity("alice", byHolder))
		w.after = failing("create ServiceAccount", 1, crashed)
		alice := w.passes("alice", 8)
		if alice.Status.EnrolmentRef == nil || alice.Status.EnrolmentRef.UID != w.account() {
			t.Errorf("the status speaks of %+v, and there is %q", alice.Status.EnrolmentRef, w.account())
		}
	})
}

func TestAcceptedInvitationsAreForgottenWithTheirServiceAccountAlone(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder))
	w.enrollable()
	alice := w.get("alice")
	for i := range holder.MaxInvitations {
		alice.Status.Invitations = append(alice.Status.Invitations, v1alpha1.AcceptedInvitation{ID: fmt.Sprint(i)})
	}
	if err := w.api.Status().Update(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	former := w.account()
	w.watched(func(string, client.Object) {
		now := &v1alpha1.ClientIdentity{}
		w.exists(now, "", "alice")
		if ref := now.Status.EnrolmentRef; len(now.Status.Invitations) == 0 && ref != nil && ref.UID == former {
			t.Error("an invitation that was accepted can be accepted again")
		}
	})
	w.before = failing("delete ServiceAccount", 2, crashed)
	alice = w.passes("alice", 2)
	if len(alice.Status.Invitations) != holder.MaxInvitations {
		t.Error("they were forgotten while the ServiceAccount is there")
	}
	alice = w.passes("alice", 4)
	if len(alice.Status.Invitations) > 0 || alice.Status.EnrolmentRef.UID == former || alice.Status.EnrolmentRef.UID != w.account() {
		t.Errorf("%d invitations, and %+v", len(alice.Status.Invitations), alice.Status.EnrolmentRef)
	}
}

func TestInvitationsEndWhereTheOperatorMayNotLookAnyMore(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder))
	w.enrollable()
	elsewhere := secret.Places{Namespaces: []string{"others"}, Default: "others"}
	w.credential.secrets.Places, w.accounts.Allow = elsewhere, elsewhere.Allow
	w.before = func(call string, _ client.Object) error {
		if strings.HasPrefix(call, "live get") {
			return forbidden
		}
		return nil
	}
	w.add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "others"}})
	if ref := w.passes("alice", 2).Status.EnrolmentRef; ref != nil && ref.Namespace == testNamespace {
		t.Errorf("tokens of %s/%s are invitations", ref.Namespace, ref.Name)
	}
}
