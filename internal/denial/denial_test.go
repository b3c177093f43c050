// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

var (
	now    = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	before = now.Add(-time.Hour)
)

const (
	uid   = types.UID("0b1c2d3e-0000-4000-8000-000000000001")
	first = "1111111111111111111111111111111111111111111111111111111111111111"
	other = "2222222222222222222222222222222222222222222222222222222222222222"
)

// all are identities in memory.
type all []*v1alpha1.ClientIdentity

func (a all) ByUID(key string) (*v1alpha1.ClientIdentity, error) {
	for _, identity := range a {
		if UIDKey(identity) == key {
			return identity, nil
		}
	}
	return nil, nil
}

func (a all) ByFingerprint(fingerprint string) ([]*v1alpha1.ClientIdentity, error) {
	var found []*v1alpha1.ClientIdentity
	for _, identity := range a {
		if slices.Contains(FingerprintKeys(identity), fingerprint) {
			found = append(found, identity)
		}
	}
	return found, nil
}

// alice is an identity, with one certificate that its status lists.
func alice(change func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: uid},
		Spec:       v1alpha1.ClientIdentitySpec{Username: "alice@example.com", Groups: []string{"developers"}, State: v1alpha1.StateActive},
	}
	identity.Status.Certificates = []v1alpha1.IssuedCertificate{{Fingerprint: first, Groups: []string{"developers"}}}
	identity.Status.Certificate = &v1alpha1.CertificateStatus{Fingerprint: first}
	change(identity)
	return identity
}

func revokedSince(at time.Time) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = &metav1.Time{Time: at} }
}

// user is how the API server sees a certificate of alice.
func user(fingerprint string, groups ...string) Subject {
	return Subject{Username: "alice@example.com", Groups: append(groups, "system:authenticated"), Fingerprints: []string{fingerprint}}
}

func group(at *time.Time) string { return certificate.CredentialGroup(string(uid), at) }

func TestDecide(t *testing.T) {
	unchanged := func(*v1alpha1.ClientIdentity) {}
	as := func(s Subject, change func(*Subject)) Subject { change(&s); return s }
	for name, test := range map[string]struct {
		identity func(*v1alpha1.ClientIdentity)
		subject  Subject
		want     Reason
	}{
		"a certificate that is listed":              {unchanged, user(first, "developers"), ""},
		"one with the credential group":             {unchanged, user(other, "developers", group(nil)), ""},
		"one of the user that nobody knows":         {unchanged, user(other, "admins"), ""},
		"one of a deleted identity":                 {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, user(other, group(nil)), IdentityDeleted},
		"one of an identity that is being deleted":  {func(id *v1alpha1.ClientIdentity) { id.DeletionTimestamp = &metav1.Time{Time: before} }, user(other, group(nil)), AccessEnded},
		"one of a withdrawn identity":               {func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, user(other, group(nil)), AccessEnded},
		"a listed one of a withdrawn identity":      {func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, user(first), AccessEnded},
		"an unknown one of the user of a withdrawn": {func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, user(other), ""},
		"one after accessUntil":                     {func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = &metav1.Time{Time: now} }, user(first), AccessEnded},
		"one before accessUntil":                    {func(id *v1alpha1.ClientIdentity) { id.Spec.AccessUntil = &metav1.Time{Time: now.Add(1)} }, user(first), ""},
		"an older credential group":                 {revokedSince(now), user(other, group(&before)), IssuedBeforeRevocation},
		"the first credential group":                {revokedSince(now), user(other, group(nil)), IssuedBeforeRevocation},
		"the newest credential group":               {revokedSince(now), user(other, group(&now)), ""},
		"a newer one than this cache knows":         {revokedSince(before), user(other, group(&now)), ""},
		"a newer one, where no revocation is known": {unchanged, user(other, group(&now)), ""},
		"a listed one from before the revocation":   {revokedSince(now), user(first), IssuedBeforeRevocation},
		"a listed one that was asked for with it": {func(id *v1alpha1.ClientIdentity) {
			revokedSince(now)(id)
			id.Status.Certificates[0].RevokeIssuedBefore = &metav1.Time{Time: now}
		}, user(first), ""},
		"a listed one of a revocation that was undone": {func(id *v1alpha1.ClientIdentity) {
			revokedSince(before)(id)
			id.Status.Certificates[0].RevokeIssuedBefore = &metav1.Time{Time: now}
		}, user(first), IssuedBeforeRevocation},
		"a listed one with a group that is gone":    {unchanged, user(first, "developers", "admins"), GroupRemoved},
		"one with the credential group and such":    {unchanged, user(other, "admins", group(nil)), GroupRemoved},
		"one with fewer groups":                     {unchanged, user(first), ""},
		"one that is revoked alone":                 {revoking(first, "stolen"), user(first), CertificateRevoked},
		"one that is revoked and not listed":        {revoking(other, ""), user(other), CertificateRevoked},
		"one beside the one that is revoked":        {revoking(other, ""), user(first), ""},
		"one of another user that somebody revokes": {revoking(other, ""), as(user(other), func(s *Subject) { s.Username = "bob" }), ""},
		"one of another user that somebody lists":   {func(id *v1alpha1.ClientIdentity) { id.Spec.State = v1alpha1.StateWithdrawn }, as(user(first), func(s *Subject) { s.Username = "bob" }), ""},
		"no certificate at all":                     {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, as(user(""), func(s *Subject) { s.Groups, s.Fingerprints = []string{group(nil)}, nil }), ""},
		"system:masters":                            {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, user(first, "system:masters", group(nil)), ""},
		"a node":                                    {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, as(user(first, group(nil)), func(s *Subject) { s.Username = "system:node:n1" }), ""},
		"nodes":                                     {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, user(first, "system:nodes", group(nil)), ""},
		"a service account":                         {func(id *v1alpha1.ClientIdentity) { id.UID = "another" }, as(user(first, group(nil)), func(s *Subject) { s.Username = "system:serviceaccount:a:b" }), ""},
		"a group that only looks like ours":         {unchanged, user(other, "clientidentity.dev:", "clientidentity.dev:x", "clientidentity.dev::1", "clientidentity.dev:x:y"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			denial, err := Decide(test.subject, all{alice(test.identity)}, now)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case denial == nil && test.want != "":
				t.Errorf("no opinion, want %s", test.want)
			case denial != nil && denial.Reason != test.want:
				t.Errorf("%+v, want %q", denial, test.want)
			case denial != nil && (denial.Message == "" || len(denial.Message) > 600 || !slices.Contains(Reasons, denial.Reason)):
				t.Errorf("%+v tells its holder nothing, or too much", denial)
			}
		})
	}
}

// TestAnotherEncodingIsTheSameCertificate: its holder can change the fingerprint, and not the groups.
func TestAnotherEncodingIsTheSameCertificate(t *testing.T) {
	const own, foreign = v1alpha1.CertificateGroupPrefix + "A", v1alpha1.CertificateGroupPrefix + "B"
	identity := alice(func(id *v1alpha1.ClientIdentity) {
		revoking(first, "")(id)
		id.Status.Certificates[0].Groups = []string{group(nil), own}
	})
	for name, test := range map[string]struct {
		groups []string
		want   bool
	}{
		"the revoked one":                   {[]string{group(nil), own}, true},
		"another one of this identity":      {[]string{group(nil), foreign}, false},
		"one from before it was recognized": {[]string{group(nil)}, false},
	} {
		denial, err := Decide(user(other, test.groups...), all{identity}, now)
		if err != nil || (denial != nil) != test.want {
			t.Errorf("%s: %+v, %v", name, denial, err)
		}
	}
}

// TestANamesakeHasNoSayAboutTheCertificatesOfAnother: whoever may write one identity must not end the access of the other.
func TestANamesakeHasNoSayAboutTheCertificatesOfAnother(t *testing.T) {
	namesake := alice(func(id *v1alpha1.ClientIdentity) {
		id.Name, id.UID, id.Spec.State, id.Status.Certificates = "namesake", "0b1c2d3e-0000-4000-8000-000000000002", v1alpha1.StateWithdrawn, nil
		id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: first}, {Fingerprint: other}}
	})
	known := all{namesake, alice(func(*v1alpha1.ClientIdentity) {})}
	if denial, err := Decide(user(first), known, now); err != nil || denial != nil {
		t.Errorf("one that another identity lists: %+v, %v", denial, err)
	}
	if denial, err := Decide(user(other), known, now); err != nil || denial == nil {
		t.Errorf("one that nobody lists, of the same user: %+v, %v", denial, err)
	}
}

func revoking(fingerprint, reason string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint, Reason: reason}}
	}
}

func TestTheHolderIsToldWhy(t *testing.T) {
	denial, err := Decide(user(first), all{alice(revoking(first, "laptop stolen"))}, now)
	if err != nil || denial == nil || !strings.Contains(denial.Message, "laptop stolen") || denial.Identity != "alice" {
		t.Errorf("%+v, %v", denial, err)
	}
}

// TestOfTwoWithOneUser is about two identities with one username, which bindTo: Credential allows.
func TestOfTwoWithOneUser(t *testing.T) {
	withdrawn := alice(func(id *v1alpha1.ClientIdentity) {
		id.Name, id.UID, id.Spec.State = "alice-ci", "0b1c2d3e-0000-4000-8000-000000000002", v1alpha1.StateWithdrawn
		id.Status.Certificates[0].Fingerprint = other
	})
	known := all{withdrawn, alice(func(*v1alpha1.ClientIdentity) {})}
	if denial, err := Decide(user(first, group(nil)), known, now); err != nil || denial != nil {
		t.Errorf("the one that has access: %+v, %v", denial, err)
	}
	if denial, err := Decide(user(other), known, now); err != nil || denial == nil || denial.Identity != "alice-ci" {
		t.Errorf("the one that has none: %+v, %v", denial, err)
	}
}
