// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/cluster"
)

// What only a person can change stalls, names what to change, and costs no certificate.
func TestWhatStallsSaysWhatToChange(t *testing.T) {
	clusterInfo := func(kubeconfig string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: cluster.ClusterInfo.Namespace, Name: cluster.ClusterInfo.Name},
			Data:       map[string]string{"kubeconfig": kubeconfig},
		}
	}
	for name, test := range map[string]struct {
		given   func(*world)
		change  func(*v1alpha1.ClientIdentity)
		reason  string
		message string
	}{
		"a server that nothing tells": {
			func(w *world) { w.facts.Server, w.facts.InCluster = "", true }, nil, v1alpha1.ReasonServerUnknown, "--kubeconfig-server"},
		"a cluster-info that is no kubeconfig": {func(w *world) {
			w.facts.Server, w.facts.InCluster = "", true
			w.add(clusterInfo("{{"))
		}, nil, v1alpha1.ReasonServerUnknown, "ConfigMap kube-public/cluster-info"},
		"a CA bundle that is none": {nil, func(id *v1alpha1.ClientIdentity) { id.Spec.Kubeconfig.CertificateAuthorityData = []byte("x") },
			v1alpha1.ReasonInvalidSpec, "spec.kubeconfig.certificateAuthorityData"},
		"a namespace that is not allowed": {nil, func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Namespace = "kube-system" },
			v1alpha1.ReasonSecretNamespaceNotAllowed, "--secret-namespaces"},
		"a signer that is not allowed": {nil, func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = "example.com/ca" },
			v1alpha1.ReasonSignerNotAllowed, "--allowed-signers"},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*v1alpha1.ClientIdentity)
			if test.change != nil {
				changes = append(changes, test.change)
			}
			w := newWorld(t, identity("alice", changes...))
			if test.given != nil {
				test.given(w)
			}
			alice := w.passes("alice", 3)
			expectCondition(t, &alice.Status, v1alpha1.ConditionStalled, "True", test.reason)
			expectNoCondition(t, &alice.Status, v1alpha1.ConditionReconciling)
			if c := meta.FindStatusCondition(alice.Status.Conditions, v1alpha1.ConditionReady); c == nil || !strings.Contains(c.Message, test.message) {
				t.Errorf("says %+v, want %q", c, test.message)
			}
			w.expectCalls(createsCSR, 0)
			w.expectCalls(patchesStatus, 1)
		})
	}
}

func TestOneUsernameHasOneOwner(t *testing.T) {
	shared := func(id *v1alpha1.ClientIdentity) { id.Spec.Username = "shared" }
	younger := func(id *v1alpha1.ClientIdentity) { id.CreationTimestamp = *at(0) }
	for name, test := range map[string]struct {
		alice, bob *v1alpha1.ClientIdentity
		bobWaits   bool
	}{
		"the younger one waits":                     {identity("alice", shared), identity("bob", shared, younger), true},
		"of one second, the one whose name is last": {identity("alice", shared), identity("bob", shared), true},
		"not where both are bound to a credential":  {identity("alice", shared, boundToCredential), identity("bob", shared, boundToCredential), false},
		"but where only one is":                     {identity("alice", shared), identity("bob", shared, boundToCredential), true},
		"not for another name":                      {identity("alice", shared), identity("bob"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.alice, test.bob)
			w.ready("alice")
			if !test.bobWaits {
				w.ready("bob")
				return
			}
			bob := w.passes("bob", 3)
			expectCondition(t, &bob.Status, v1alpha1.ConditionReady, "False", v1alpha1.ReasonUsernameInUse)
			if err := w.api.Delete(t.Context(), w.get("alice")); err != nil {
				t.Fatal(err)
			}
			w.ready("bob")
		})
	}
}
