// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/holder"
)

func TestAHolderIsSeenAsTheCertificateSays(t *testing.T) {
	const own = v1alpha1.CertificateGroupPrefix + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	credentialBound := func(id *v1alpha1.ClientIdentity) { id.Spec.BindTo = v1alpha1.BindToCredential }
	bound := identity("alice", credentialBound)
	group := access.WantedGroup(&bound)
	carries := func(groups ...string) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) { id.Status.Certificates[0].Groups = groups }
	}
	nothing := func(id *v1alpha1.ClientIdentity) { id.Status.Certificate, id.Status.Certificates = nil, nil }
	for name, test := range map[string]struct {
		id               v1alpha1.ClientIdentity
		groups, granting string
		note             string
	}{
		"the groups in it, not those of a newer spec": {
			identity("alice", carries("former", own)), "former " + own + " system:authenticated", "former", "",
		},
		"the credential group grants, where bindings name it": {
			identity("alice", credentialBound, carries("developers", group, own)), "developers " + group + " " + own + " system:authenticated", "developers " + group, "",
		},
		"and not where they name the user": {
			identity("alice", carries("developers", group)), "developers " + group + " system:authenticated", "developers", "",
		},
		"nothing is issued": {
			identity("alice", credentialBound, nothing), "developers " + group + " system:authenticated", "developers " + group, "No certificate is issued",
		},
		"no access": {
			identity("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }), "developers system:authenticated", "developers", "The identity has no access",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := seenAs(&test.id, "", now)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got.groups, " ") != test.groups || strings.Join(got.granting, " ") != test.granting || !strings.HasPrefix(got.note, test.note) || (test.note == "") != (got.note == "") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestADeviceIsSeenByItsOwnCertificate(t *testing.T) {
	old, newer := onDevice("desktop", day, day, v1alpha1.DeviceActive), onDevice("laptop", day, day, v1alpha1.DeviceActive)
	old.Fingerprint, old.Revision = fingerprint('e'), 2
	ended := onDevice("ended", -time.Hour, -day, v1alpha1.DeviceActive)
	ended.Fingerprint, ended.Revision = fingerprint('f'), 9
	id := identity("alice", heldOn(old, newer, ended))
	for given, want := range map[string]string{"": newer.Fingerprint, "desktop": old.Fingerprint, "ended": ""} {
		got, err := seenAs(&id, given, now)
		if err != nil || got.fingerprint != want {
			t.Errorf("%q: %+v, %v", given, got, err)
		}
		if extra := got.review().Extra[holder.CredentialIDKey]; (want == "") != (len(extra) == 0) || (want != "" && !slices.Equal(extra, []string{"X509SHA256=" + want})) {
			t.Errorf("%q: asked with %v", given, extra)
		}
	}
	if _, err := seenAs(&id, "phone", now); err == nil || !strings.Contains(err.Error(), "its devices are desktop, laptop, ended") {
		t.Errorf("got %v", err)
	}
	operators := identity("alice")
	if _, err := seenAs(&operators, "phone", now); err == nil || !strings.Contains(err.Error(), "privateKey.source: Holder") {
		t.Errorf("got %v", err)
	}
}

func TestRulesAreSortedAndListedOnce(t *testing.T) {
	pods := authorizationv1.ResourceRule{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"pods", "configmaps"}}
	var got []string
	for _, row := range ruleRows(&authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: []authorizationv1.ResourceRule{pods, pods, {
			Verbs: []string{"update"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"web"},
		}},
		NonResourceRules: []authorizationv1.NonResourceRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz", "/livez"}}},
	}) {
		texts := make([]string, len(row))
		for i := range row {
			texts[i] = row[i].Text
		}
		got = append(got, strings.Join(texts, "|"))
	}
	want := []string{"configmaps|-|-|get list", "deployments.apps|-|web|update", "pods|-|-|get list", "-|/healthz /livez|-|get"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
