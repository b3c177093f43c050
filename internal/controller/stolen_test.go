// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func keepingItsKey(id *v1alpha1.ClientIdentity) {
	id.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
}

// publishedKey returns the key (PEM) that is published for an identity.
func publishedKey(w *world, name string) string {
	w.t.Helper()
	var secret corev1.Secret
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: testNamespace, Name: name + "-kubeconfig"}, &secret); err != nil {
		w.t.Fatal(err)
	}
	return string(secret.Data[v1alpha1.PrivateKeyKey])
}

func revokingAlone(fingerprint string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint}}
	}
}

// TestAStolenKeyIsNotKeptForAnotherReason: of several reasons to issue, the first is told, and each counts.
func TestAStolenKeyIsNotKeptForAnotherReason(t *testing.T) {
	w := newWorld(t, identity("alice", keepingItsKey))
	stolen := w.ready("alice").Status.Certificate.Fingerprint
	key := publishedKey(w, "alice")
	w.change("alice", func(id *v1alpha1.ClientIdentity) {
		revokingAlone(stolen)(id)
		id.Spec.Groups = nil
	})
	w.step(time.Minute)
	w.passes("alice", 4)
	if w.ready("alice").Status.Certificate.Fingerprint == stolen || publishedKey(w, "alice") == key {
		t.Error("the stolen key is published again")
	}
}

// TestAStolenKeyIsNotKeptByARenewalThatIsOpen: it was asked for with the same key, before that was known to be stolen.
func TestAStolenKeyIsNotKeptByARenewalThatIsOpen(t *testing.T) {
	w := newWorld(t, identity("alice", keepingItsKey))
	stolen := w.ready("alice").Status.Certificate.Fingerprint
	key, signs := publishedKey(w, "alice"), w.signs
	w.signs = nil
	w.change("alice", func(id *v1alpha1.ClientIdentity) {
		id.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "x"}
	})
	w.step(10 * time.Minute)
	w.passes("alice", 2)
	var requests certificatesv1.CertificateSigningRequestList
	if err := w.api.List(t.Context(), &requests); err != nil {
		t.Fatal(err)
	}
	w.signs = signs
	w.change("alice", revokingAlone(stolen))
	w.step(time.Second)
	signed := 0
	for i := range requests.Items {
		if request := &requests.Items[i]; len(request.Status.Certificate) == 0 {
			w.signs(request)
			if err := w.api.Status().Update(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			signed++
		}
	}
	if signed != 1 {
		t.Fatalf("%d requests were open", signed)
	}
	w.passes("alice", 4)
	if w.ready("alice").Status.Certificate.Fingerprint == stolen || publishedKey(w, "alice") == key {
		t.Error("the stolen key is published again")
	}
}
