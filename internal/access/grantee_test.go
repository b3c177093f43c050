// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"strconv"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	uid = "d01fa743-3673-4dec-b269-05423cdcc6a9"
	own = "clientidentity.dev:d01fa74336734decb26905423cdcc6a9:"
)

func known(id *v1alpha1.ClientIdentity) { id.UID = uid }

func revoked(before time.Time) option {
	return func(id *v1alpha1.ClientIdentity) { id.Spec.RevokeIssuedBefore = &metav1.Time{Time: before} }
}

// groupAt is the credential group of a revocation at that time.
func groupAt(revocation time.Time) string { return own + strconv.FormatInt(revocation.Unix(), 10) }

func TestBoundGroup(t *testing.T) {
	earlier := now.Add(-time.Hour)
	const unrevoked = own + "0"
	for name, test := range map[string]struct {
		given     *v1alpha1.ClientIdentity
		published []string
		want      string
	}{
		"names the user":                                                {identity(known), []string{"developers"}, ""},
		"names the user whatever was revoked":                           {identity(known, revoked(now)), []string{"developers"}, ""},
		"names the user again as soon as the spec says so":              {identity(known), []string{unrevoked}, ""},
		"names the credential from the first one on":                    {identity(known, toCredential), nil, unrevoked},
		"names the credential that is published":                        {identity(known, toCredential), []string{"developers", unrevoked}, unrevoked},
		"names the user until a switched one has its credential":        {identity(known, toCredential), []string{"developers"}, ""},
		"does so where its certificate has no group at all":             {identity(known, toCredential), []string{}, ""},
		"does so where the certificate has another identity's group":    {identity(known, toCredential), []string{"clientidentity.dev:0123:0"}, ""},
		"interrupts a switched one that is revoked":                     {identity(known, toCredential, revoked(now)), []string{"developers"}, groupAt(now)},
		"interrupts the holder of a revoked one":                        {identity(known, toCredential, revoked(now)), []string{unrevoked}, groupAt(now)},
		"interrupts the holder of one that is revoked again":            {identity(known, toCredential, revoked(now)), []string{groupAt(earlier)}, groupAt(now)},
		"names the group of the spec where a revocation was taken back": {identity(known, toCredential), []string{groupAt(now)}, unrevoked},
		"takes the bare prefix for no group of the identity":            {identity(known, toCredential), []string{own}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := BoundGroup(test.given, test.published); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRevoked(t *testing.T) {
	asked := func(at time.Time) *v1alpha1.CertificateStatus {
		return &v1alpha1.CertificateStatus{RequestTime: &metav1.Time{Time: at}}
	}
	askedWith := func(revocation time.Time) *v1alpha1.CertificateStatus {
		return &v1alpha1.CertificateStatus{RevokeIssuedBefore: &metav1.Time{Time: revocation}}
	}
	for name, test := range map[string]struct {
		given       *v1alpha1.ClientIdentity
		certificate *v1alpha1.CertificateStatus
		published   []string
		want        bool
	}{
		"not where nothing is revoked":                     {identity(known), asked(now), nil, false},
		"not where no credential is revoked":               {identity(known, toCredential), asked(now), []string{own + "0"}, false},
		"a credential without the group of the revocation": {identity(known, toCredential, revoked(now)), asked(now.Add(time.Hour)), []string{own + "0"}, true},
		"one whose groups nobody knows":                    {identity(known, toCredential, revoked(now)), asked(now.Add(time.Hour)), nil, true},
		"not one with it, whatever the clocks said":        {identity(known, toCredential, revoked(now)), asked(now.Add(-time.Hour)), []string{groupAt(now)}, false},
		"a user's asked for with no revocation":            {identity(known, revoked(now)), asked(now.Add(time.Hour)), nil, true},
		"a user's asked for with another one":              {identity(known, revoked(now)), askedWith(now.Add(-time.Second)), nil, true},
		"not a user's asked for with that very one":        {identity(known, revoked(now)), askedWith(now), nil, false},
		"a user's of which nobody knows when":              {identity(known, revoked(now)), &v1alpha1.CertificateStatus{}, nil, true},
		"a user's of which nobody knows anything":          {identity(known, revoked(now)), nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Revoked(test.given, test.certificate, test.published); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestGrantsRevoked(t *testing.T) {
	id := &v1alpha1.ClientIdentity{}
	known(id)
	id.Spec.Username, id.Spec.Groups, id.Spec.BindTo = "alice@example.com", []string{"developers"}, v1alpha1.BindToCredential
	id.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Unix(1_795_000_000, 0)}
	id.Status.Certificates = []v1alpha1.IssuedCertificate{{Groups: []string{"formerly", own + "1795000000"}}}
	group := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name} }
	for name, test := range map[string]struct {
		subjects []rbacv1.Subject
		want     bool
	}{
		"not to nobody":                                            {nil, false},
		"not to the newest credential":                             {[]rbacv1.Subject{group(own + "1795000000")}, false},
		"not to others":                                            {[]rbacv1.Subject{group("others"), {Kind: rbacv1.UserKind, Name: "bob"}, {Kind: rbacv1.ServiceAccountKind, Name: "alice@example.com"}}, false},
		"to an earlier credential":                                 {[]rbacv1.Subject{group(own + "0")}, true},
		"to an earlier credential beside the newest":               {[]rbacv1.Subject{group(own + "1795000000"), group(own + "1794000000")}, true},
		"to the user":                                              {[]rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "alice@example.com"}}, true},
		"to a group of the spec":                                   {[]rbacv1.Subject{group("developers")}, true},
		"to a group that only earlier certificates carry":          {[]rbacv1.Subject{group("formerly")}, true},
		"not to a credential of another identity":                  {[]rbacv1.Subject{group("clientidentity.dev:00000000000000000000000000000000:0")}, false},
		"not to a user who is named as a credential of its own is": {[]rbacv1.Subject{{Kind: rbacv1.UserKind, Name: own + "0"}}, false},
	} {
		if got := GrantsRevoked(id, test.subjects); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	id.Spec.BindTo = v1alpha1.BindToUsername
	if GrantsRevoked(id, []rbacv1.Subject{group(own + "0")}) {
		t.Error("with bindTo: Username a revocation is for no binding")
	}
}

func TestGrantsNewerCredential(t *testing.T) {
	group := func(name string) []rbacv1.Subject { return []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: name}} }
	for name, test := range map[string]struct {
		given    *v1alpha1.ClientIdentity
		subjects []rbacv1.Subject
		want     bool
	}{
		"a later revocation":                        {identity(known, toCredential, revoked(now)), group(groupAt(now.Add(time.Second))), true},
		"any revocation, where none is asked for":   {identity(known), group(groupAt(now)), true},
		"one of several":                            {identity(known, toCredential), append(group("a"), group(groupAt(now))...), true},
		"the wanted one is none":                    {identity(known, toCredential, revoked(now)), group(groupAt(now)), false},
		"an earlier one is none":                    {identity(known, toCredential, revoked(now)), group(own + "0"), false},
		"that of another identity is none":          {identity(known, toCredential), group("clientidentity.dev:0123:99"), false},
		"a user of that name is none":               {identity(known, toCredential), []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: groupAt(now)}}, false},
		"what is no time is none, whoever wrote it": {identity(known, toCredential), group(own + "later"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := GrantsNewerCredential(test.given, test.subjects); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
