// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const testUID = "9f1c2d3e-4a5b-4c6d-8e7f-001122334455"

func TestSubjectsAreEqualWhateverTheOrderOfGroups(t *testing.T) {
	for name, test := range map[string]struct {
		a, b Subject
		want bool
	}{
		"the same":            {alice, alice, true},
		"in another order":    {alice, Subject{alice.Username, []string{"team-a", "developers"}}, true},
		"a group twice":       {alice, Subject{alice.Username, []string{"team-a", "developers", "team-a"}}, true},
		"no groups and none":  {Subject{Username: "a"}, Subject{"a", []string{}}, true},
		"another user":        {alice, Subject{"bob", alice.Groups}, false},
		"one group less":      {alice, Subject{alice.Username, []string{"team-a"}}, false},
		"another group":       {alice, Subject{alice.Username, []string{"team-a", "x"}}, false},
		"one twice, one gone": {alice, Subject{alice.Username, []string{"team-a", "team-a"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if test.a.Equal(test.b) != test.want || test.b.Equal(test.a) != test.want {
				t.Errorf("want %v", test.want)
			}
		})
	}
	given := []string{"b", "a"}
	_ = Subject{Groups: given}.Equal(Subject{Groups: given})
	if !slices.Equal(given, []string{"b", "a"}) {
		t.Error("comparing sorts the caller's groups")
	}
}

func TestCredentialGroupFitsACertificate(t *testing.T) {
	at := func(text string) *time.Time { return new(must(time.Parse(time.RFC3339, text))) }
	for name, test := range map[string]struct {
		before *time.Time
		want   string
	}{
		"never revoked":           {nil, "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:0"},
		"a time that is not set":  {new(time.Time), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:0"},
		"revoked":                 {at("2026-11-22T03:04:00Z"), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:1795316640"},
		"in another time zone":    {at("2026-11-22T04:04:00+01:00"), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:1795316640"},
		"with a fraction":         {at("2026-11-22T03:04:00.999Z"), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:1795316640"},
		"the first time there is": {at("0000-01-01T00:00:00Z"), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:-62167219200"},
		"the last time there is":  {at("9999-12-31T23:59:59-23:59"), "clientidentity.dev:9f1c2d3e4a5b4c6d8e7f001122334455:253402387139"},
	} {
		t.Run(name, func(t *testing.T) {
			got := CredentialGroup(testUID, test.before)
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if _, err := (Subject{Username: "a", Groups: []string{got}}).encode(); err != nil || len(got) > 64 {
				t.Errorf("%d characters do not fit: %v", len(got), err)
			}
		})
	}
}

func TestSubjectForAddsTheCredentialGroupWhereBindingsNameIt(t *testing.T) {
	revoked := metav1.NewTime(time.Unix(1795316640, 0))
	spec := v1alpha1.ClientIdentitySpec{Username: "a", Groups: []string{"g"}, BindTo: v1alpha1.BindToUsername, RevokeIssuedBefore: &revoked}
	if got := SubjectFor(&spec, testUID); !got.Equal(Subject{"a", []string{"g"}}) {
		t.Errorf("bound to the user name: %v", got)
	}
	spec.BindTo = v1alpha1.BindToCredential
	if got := SubjectFor(&spec, testUID); !got.Equal(Subject{"a", []string{"g", CredentialGroup(testUID, &revoked.Time)}}) {
		t.Errorf("bound to the credential: %v", got)
	}
	if len(spec.Groups) != 1 {
		t.Error("the spec was changed")
	}
}

func TestADeniableSubjectHasTwoMoreGroups(t *testing.T) {
	const uid = "d01fa743-3673-4dec-b269-05423cdcc6a9"
	at := time.Unix(1, 0)
	for _, bindTo := range []v1alpha1.BindTo{v1alpha1.BindToUsername, v1alpha1.BindToCredential} {
		spec := &v1alpha1.ClientIdentitySpec{Username: "alice", Groups: []string{"a"}, BindTo: bindTo, RevokeIssuedBefore: &metav1.Time{Time: at}}
		plain := SubjectFor(spec, uid)
		once, twice := plain.Deniable(uid, &at), plain.Deniable(uid, &at)
		own := slices.IndexFunc(once.Groups, func(group string) bool { return strings.HasPrefix(group, v1alpha1.CertificateGroupPrefix) })
		if len(once.Groups) != 3 || own < 0 || !slices.Contains(once.Groups, "a") || !slices.Contains(once.Groups, CredentialGroup(uid, &at)) || once.Equal(twice) {
			t.Errorf("%s: %v, %v", bindTo, once, twice)
		}
		if _, err := once.encode(); err != nil {
			t.Errorf("%s: %v", bindTo, err)
		}
	}
}
