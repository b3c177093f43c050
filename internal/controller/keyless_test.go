// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/look"
)

// byHolder and byOperator are changes of the spec: who makes the keys.
func byHolder(id *v1alpha1.ClientIdentity)   { id.Spec.PrivateKey.Source = v1alpha1.SourceHolder }
func byOperator(id *v1alpha1.ClientIdentity) { id.Spec.PrivateKey.Source = v1alpha1.SourceOperator }

const accountName = "clientidentity-alice-enrolment"

// enrollable runs passes until a device can be enrolled.
func (w *world) enrollable() *v1alpha1.ClientIdentity {
	w.t.Helper()
	alice := w.passes("alice", 4)
	expectCondition(w.t, &alice.Status, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReadyToEnroll)
	if w.keys() != "ca.crt kubeconfig request.json" {
		w.t.Errorf("the Secret has %s", w.keys())
	}
	return alice
}

// keys returns what is in the Secret of alice.
func (w *world) keys() string {
	w.t.Helper()
	found := &corev1.Secret{}
	if !w.exists(found, testNamespace, "alice-kubeconfig") {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(found.Data)), " ")
}

// account returns the UID of the ServiceAccount of alice's invitations; empty where there is none.
func (w *world) account() types.UID {
	w.t.Helper()
	found := &corev1.ServiceAccount{}
	w.exists(found, testNamespace, accountName)
	return found.UID
}

// readers returns the bindings in the namespace of the Secrets.
func (w *world) readers() []string {
	w.t.Helper()
	var list rbacv1.RoleBindingList
	if err := w.api.List(w.t.Context(), &list, client.InNamespace(testNamespace)); err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// watched lets a check look at the API server before each write.
func (w *world) watched(check func(call string, object client.Object)) {
	w.before = func(call string, object client.Object) error {
		if !strings.HasPrefix(call, "live get") {
			check(call, object)
		}
		return nil
	}
}

func TestAPassOverAnIdentityOfHoldersCostsNothing(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder, boundToCredential, reads))
	w.enrollable()
	for _, restarted := range []bool{false, true} {
		if restarted {
			w.restart()
			w.passes("alice", 1) // that looks once at all bindings
		}
		w.calls = map[string]int{}
		w.passes("alice", 3)
		if len(w.calls) > 0 {
			t.Errorf("restarted %t: %v", restarted, w.calls)
		}
	}
}

func TestAKeyLeavesTheSecretWhateverStandsInTheWay(t *testing.T) {
	for name, test := range map[string]struct {
		given  func(*world)
		change func(*v1alpha1.ClientIdentity)
		want   string
	}{
		"nothing": {func(*world) {}, byHolder, "ca.crt kubeconfig request.json"},
		"a Secret that nobody may change": {func(w *world) {
			w.before = failing("update Secret", 100, apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "alice-kubeconfig", nil))
		}, byHolder, "ca.crt kubeconfig request.json"},
		"admission, that refuses the new content": {func(w *world) {
			w.before = failing("update Secret", 100, forbidden)
		}, byHolder, "ca.crt kubeconfig request.json"}, // of another Secret
		"an API server that nobody knows": {func(w *world) {
			w.facts.Server, w.facts.InCluster = "", true
		}, func(id *v1alpha1.ClientIdentity) { byHolder(id); id.Spec.Secret.Name = "other" }, "none"},
		"an older identity of that username": {func(w *world) {
			w.add(identity("older", func(id *v1alpha1.ClientIdentity) {
				id.Spec.Username, id.CreationTimestamp = "alice@example.com", metav1.Time{Time: start.Add(-2 * time.Hour)}
			}))
		}, byHolder, "none"},
		"a namespace that nothing may be published in": {func(*world) {}, func(id *v1alpha1.ClientIdentity) {
			byHolder(id)
			id.Spec.Secret.Namespace = "kube-system"
		}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice"))
			w.ready("alice")
			test.given(w)
			w.change("alice", test.change)
			w.passes("alice", 3)
			if got := w.keys(); got != test.want {
				t.Errorf("the Secret has %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnOldIdentityTakesNoKeyAway(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder))
	w.enrollable()
	old := w.get("alice")
	w.change("alice", byOperator)
	w.ready("alice")
	published := secretOf(w, "alice")
	// An operator that stood still, and has the caches of then.
	if err := w.Reconciler.credential.secrets.RemoveKeys(t.Context(), old, old.Status.SecretRef, client.ObjectKeyFromObject(published),
		look.Newest(w.api, old)); err == nil {
		t.Error("the key of a newer spec was taken away")
	}
	if got := w.keys(); got != "ca.crt kubeconfig tls.crt tls.key" {
		t.Errorf("the Secret has %s", got)
	}
}

func TestNobodyIsLetReadWhileTheSecretHasAKey(t *testing.T) {
	w := newWorld(t, identity("alice"))
	w.ready("alice")
	reads := 0
	w.watched(func(call string, _ client.Object) {
		if call == "create RoleBinding" || call == "create Role" {
			reads++
			if strings.Contains(w.keys(), "tls.key") {
				t.Errorf("%s while the Secret has a key", call)
			}
		}
	})
	w.change("alice", byHolder)
	w.enrollable()
	if reads != 3 {
		t.Errorf("%d writes, want a Role and two bindings", reads)
	}
}

func TestAKeyIsPublishedWhenNobodyReadsWhoDid(t *testing.T) {
	for name, restarts := range map[string]bool{"under one operator": false, "with a crash after each pass": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, identity("alice", byHolder))
			w.lag = 5 * time.Second
			w.restart()
			w.enrollable()
			w.watched(func(call string, object client.Object) {
				if s, ok := object.(*corev1.Secret); ok && len(s.Data[v1alpha1.PrivateKeyKey]) > 0 && len(w.readers()) > 0 {
					t.Errorf("%s while %v let somebody read", call, w.readers())
				}
			})
			w.change("alice", byOperator)
			began := w.clock.Now()
			for range 20 {
				_, _ = w.pass("alice")
				if strings.Contains(w.keys(), "tls.key") {
					break
				}
				if restarts && w.clock.Now().Sub(began) < 3*time.Second {
					w.restart() // the next one counts from its beginning
				}
				w.step(time.Second)
			}
			if waited := w.clock.Now().Sub(began); !strings.Contains(w.keys(), "tls.key") || waited < 5*time.Second {
				t.Errorf("after %s the Secret has %s", waited, w.keys())
			}
			alice := w.ready("alice")
			if alice.Status.EnrolmentRef != nil || w.account() != "" {
				t.Error("the ServiceAccount is left")
			}
		})
	}
}

func TestAKeyIsPublishedWhenItsReaderIsTheCredential(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder)) // so that the user reads
	w.enrollable()
	fails := failing("patch RoleBinding", 3, crashed)
	w.before = func(call string, object client.Object) error {
		if s, ok := object.(*corev1.Secret); ok && len(s.Data[v1alpha1.PrivateKeyKey]) > 0 {
			var list rbacv1.RoleBindingList
			if err := w.api.List(t.Context(), &list, client.InNamespace(testNamespace)); err != nil || len(list.Items) != 1 || list.Items[0].Subjects[0].Kind != rbacv1.GroupKind {
				t.Errorf("%s while %+v lets somebody read: %v", call, list.Items, err)
			}
		}
		return fails(call, object)
	}
	w.change("alice", func(id *v1alpha1.ClientIdentity) { byOperator(id); readable(id) })
	w.passes("alice", 8)
	w.ready("alice")
}

func TestARevocationReachesHoldersAndLeavesInvitationsTheirBindings(t *testing.T) {
	w := newWorld(t, identity("alice", byHolder, boundToCredential))
	w.enrollable()
	former := w.account()
	revoke := metav1.Time{Time: start.Add(time.Minute)}
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = &revoke })
	alice := w.enrollable()
	expectCondition(t, &alice.Status, v1alpha1.ConditionRevocationComplete, metav1.ConditionTrue, v1alpha1.ReasonRevoked)
	if w.account() == former || alice.Status.EnrolmentRef.UID != w.account() || !alice.Status.EnrolmentRef.RevokeIssuedBefore.Equal(&revoke) {
		t.Errorf("the status speaks of %+v, and there is %q", alice.Status.EnrolmentRef, w.account())
	}
	var bindings rbacv1.ClusterRoleBindingList
	if err := w.api.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	for i := range bindings.Items {
		subject := bindings.Items[i].Subjects[0]
		if subject.Kind == rbacv1.GroupKind && !strings.HasSuffix(subject.Name, fmt.Sprint(revoke.Unix())) {
			t.Errorf("%s still names %s", bindings.Items[i].Name, subject.Name)
		}
	}
	if len(bindings.Items) != 2 || len(w.readers()) != 2 {
		t.Errorf("%d bindings to ask, %d to read", len(bindings.Items), len(w.readers()))
	}
}
