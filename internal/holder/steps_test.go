// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

func TestDecideTakesExactlyThePlannedSubject(t *testing.T) {
	own := v1alpha1.CertificateGroupPrefix + strings.Repeat("A", 26)
	credential := func(w *world) string { return certificate.CredentialGroup(string(w.identity.UID), nil) }
	for name, groups := range map[string]func(*world) []string{
		"a group more":                       func(w *world) []string { return []string{"developers", "admins", credential(w), own} },
		"a group less":                       func(w *world) []string { return []string{credential(w), own} },
		"no credential group":                func(*world) []string { return []string{"developers", own} },
		"no group of its own":                func(w *world) []string { return []string{"developers", credential(w)} },
		"two groups of its own":              func(w *world) []string { return []string{"developers", credential(w), own, own[:len(own)-1] + "B"} },
		"a group of its own of another form": func(w *world) []string { return []string{"developers", credential(w), own[:len(own)-1]} },
		"another revocation": func(w *world) []string {
			return []string{"developers", certificate.CredentialGroup(string(w.identity.UID), ptr.To(now)), own}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ask(t, certificate.Subject{Username: user, Groups: groups(w)}, w.key)
			if got := w.decide(); got.Reason != holder.ReasonSubjectMismatch {
				t.Errorf("got %d %s %q", got.Verdict, got.Reason, got.Message)
			}
		})
	}
	w := newWorld(t)
	w.ask(t, certificate.Subject{Username: "bob", Groups: []string{"developers", credential(w), own}}, w.key)
	if got := w.decide(); got.Reason != holder.ReasonSubjectMismatch {
		t.Errorf("another user: got %d %s", got.Verdict, got.Reason)
	}
}

// An approval is given only once the API server has what it was spent on.
func TestDecideApprovesInTwoSteps(t *testing.T) {
	for name, given := range map[string]func(*world){
		"renewal":    func(*world) {},
		"invitation": func(w *world) { w.invited("desktop") },
		"administrator": func(w *world) {
			w.request.Name, w.request.Maker, w.known.MayImpersonate = "alice.desktop.abcdefghij", holder.Maker{Username: "root"}, ptr.To(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			given(w)
			first := w.decide()
			if first.Verdict != holder.Approvable {
				t.Fatalf("got %d %s", first.Verdict, first.Message)
			}
			known := *w.identity.Status.DeepCopy()
			holder.Note(&known, *first.Approve, now)
			w.known.Identity, w.known.Status = w.identity, known
			if got := holder.Decide(w.request, w.known); got.Verdict != holder.Approvable {
				t.Errorf("while the status is not written: got %d %s", got.Verdict, got.Message)
			}
			w.identity.Status = known
			if got := w.decide(); got.Verdict != holder.Approved {
				t.Errorf("once it is written: got %d %s", got.Verdict, got.Message)
			}
			other, err := certificate.GenerateKey(v1alpha1.PrivateKey{})
			if err != nil {
				t.Fatal(err)
			}
			w.request.UID = "another"
			w.ask(t, holder.ParametersFor(w.identity, 0).Subject(), other)
			if got := w.decide(); got.Verdict != holder.Denied {
				t.Errorf("the same credential for another key: got %d %s", got.Verdict, got.Message)
			}
		})
	}
}
