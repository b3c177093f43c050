// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// spec returns a spec as the schema completes it, after the changes given.
func spec(changes ...func(*v1alpha1.ClientIdentitySpec)) *v1alpha1.ClientIdentitySpec {
	revoked := metav1.NewTime(time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC))
	s := &v1alpha1.ClientIdentitySpec{
		Username:           "alice@example.com",
		Groups:             []string{"developers", "team-a"},
		TTL:                metav1.Duration{Duration: 2160 * time.Hour},
		PrivateKey:         privateKey(v1alpha1.ECDSA, 256),
		SignerName:         "kubernetes.io/kube-apiserver-client",
		BindTo:             v1alpha1.BindToCredential,
		RevokeIssuedBefore: &revoked,
	}
	for _, change := range changes {
		change(s)
	}
	return s
}

// A failure here means that the encoding changed: every certificate of every cluster would be issued anew
// after an upgrade. Raise requestHashVersion with it, on purpose.
func TestRequestHashIsTheOneThatEarlierVersionsRecorded(t *testing.T) {
	if got, want := RequestHashOf(spec(), testUID), "v1:67494fbc45e6e423d078acf092e1fc02"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := RequestHash(Inputs{Username: "a"}), "v1:6399cb5ab8a8786e0f6d884b3c5b5b46"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRequestHashIgnoresWhatIsTheSameRequest(t *testing.T) {
	type change = func(*v1alpha1.ClientIdentitySpec)
	for name, test := range map[string]change{
		"groups in another order":    func(s *v1alpha1.ClientIdentitySpec) { s.Groups = []string{"team-a", "developers"} },
		"the default size":           func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey.Size = 0 },
		"the default algorithm":      func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey = v1alpha1.PrivateKey{} },
		"the default lifetime":       func(s *v1alpha1.ClientIdentitySpec) { s.TTL = metav1.Duration{} },
		"a fraction of a second":     func(s *v1alpha1.ClientIdentitySpec) { s.TTL.Duration += time.Millisecond },
		"the default signer":         func(s *v1alpha1.ClientIdentitySpec) { s.SignerName = "" },
		"another rotation policy":    func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey.RotationPolicy = v1alpha1.RotationNever },
		"another renewal":            func(s *v1alpha1.ClientIdentitySpec) { s.RenewBefore = &metav1.Duration{Duration: time.Hour} },
		"another Secret":             func(s *v1alpha1.ClientIdentitySpec) { s.Secret.Name = "x" },
		"another server":             func(s *v1alpha1.ClientIdentitySpec) { s.Kubeconfig.Server = "https://x" },
		"other bindings":             func(s *v1alpha1.ClientIdentitySpec) { s.RoleBindings = []v1alpha1.RoleBinding{{Name: "x"}} },
		"a time in another location": func(s *v1alpha1.ClientIdentitySpec) { s.RevokeIssuedBefore.Time = s.RevokeIssuedBefore.In(time.Local) },
	} {
		t.Run(name, func(t *testing.T) {
			if RequestHashOf(spec(test), testUID) != RequestHashOf(spec(), testUID) {
				t.Error("the hash changes")
			}
		})
	}
}

func TestRequestHashChangesWithEveryInput(t *testing.T) {
	seen := map[string]string{RequestHashOf(spec(), testUID): "the request itself"}
	for name, change := range map[string]func(*v1alpha1.ClientIdentitySpec){
		"another user":      func(s *v1alpha1.ClientIdentitySpec) { s.Username = "bob" },
		"another group":     func(s *v1alpha1.ClientIdentitySpec) { s.Groups = []string{"developers"} },
		"no groups":         func(s *v1alpha1.ClientIdentitySpec) { s.Groups = nil },
		"two groups joined": func(s *v1alpha1.ClientIdentitySpec) { s.Groups = []string{`developers","team-a`} },
		"a group moved to the user": func(s *v1alpha1.ClientIdentitySpec) {
			s.Username, s.Groups = "alice@example.comdevelopers", []string{"team-a"}
		},
		"another lifetime":  func(s *v1alpha1.ClientIdentitySpec) { s.TTL.Duration += time.Second },
		"another size":      func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey.Size = 384 },
		"another algorithm": func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey = privateKey(v1alpha1.RSA, 0) },
		"Ed25519":           func(s *v1alpha1.ClientIdentitySpec) { s.PrivateKey = privateKey(v1alpha1.Ed25519, 0) },
		"another signer":    func(s *v1alpha1.ClientIdentitySpec) { s.SignerName = "example.com/users" },
		"a revocation": func(s *v1alpha1.ClientIdentitySpec) {
			s.RevokeIssuedBefore.Time = s.RevokeIssuedBefore.Add(time.Second)
		},
		"no revocation":          func(s *v1alpha1.ClientIdentitySpec) { s.RevokeIssuedBefore = nil },
		"bound to the user name": func(s *v1alpha1.ClientIdentitySpec) { s.BindTo = v1alpha1.BindToUsername },
	} {
		hash := RequestHashOf(spec(change), testUID)
		if other, found := seen[hash]; found {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[hash] = name
	}
	if RequestHashOf(spec(), "another") == RequestHashOf(spec(), testUID) {
		t.Error("with bindTo: Credential the UID is part of the request")
	}
	byName := func(s *v1alpha1.ClientIdentitySpec) { s.BindTo = v1alpha1.BindToUsername }
	if RequestHashOf(spec(byName), "another") != RequestHashOf(spec(byName), testUID) {
		t.Error("with bindTo: Username the UID is not part of the request")
	}
}

func TestSameRequestDoesNotReissueAFleetAfterAnUpgrade(t *testing.T) {
	for name, test := range map[string]struct {
		recorded, wanted string
		want             bool
	}{
		"the same hash":                       {"v1:a", "v1:a", true},
		"another hash":                        {"v1:b", "v1:a", false},
		"nothing recorded":                    {"", "v1:a", false},
		"a hash of a newer version":           {"v2:b", "v1:a", true},
		"a hash of a version with two digits": {"v10:b", "v1:a", true},
		"something else":                      {"b", "v1:a", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SameRequest(test.recorded, test.wanted); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
