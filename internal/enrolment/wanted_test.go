// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enrolment

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

func TestWhatEndsInvitations(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(after time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(after)} }
	type given struct {
		want    Wanted
		revoked *metav1.Time
		ref     *v1alpha1.EnrolmentReference
		known   *metav1.PartialObjectMetadata
	}
	for name, test := range map[string]struct {
		change func(*given)
		ends   bool
	}{
		"nothing":                                    {func(*given) {}, false},
		"that none was made":                         {func(g *given) { g.ref = nil }, true},
		"that it is gone":                            {func(g *given) { g.known = nil }, true},
		"that it is being deleted":                   {func(g *given) { g.known.DeletionTimestamp = at(0) }, true},
		"another namespace of the Secret":            {func(g *given) { g.want.Namespace = "others" }, true},
		"a revocation":                               {func(g *given) { g.revoked = at(0) }, true},
		"a later revocation":                         {func(g *given) { g.revoked, g.ref.RevokeIssuedBefore = at(time.Second), at(0) }, true},
		"not the revocation that it was made with":   {func(g *given) { g.revoked, g.ref.RevokeIssuedBefore = at(0), at(0) }, false},
		"not the fraction of a second in it":         {func(g *given) { g.revoked, g.ref.RevokeIssuedBefore = at(time.Millisecond), at(0) }, false},
		"a status without room":                      {func(g *given) { g.want.Accepted = holder.MaxInvitations }, true},
		"not one with room for one":                  {func(g *given) { g.want.Accepted = holder.MaxInvitations - 1 }, false},
		"not that nothing can be made at the moment": {func(g *given) { g.want.Make = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := given{
				want:  Wanted{Namespace: "client-identities", Make: true},
				ref:   &v1alpha1.EnrolmentReference{Namespace: "client-identities", UID: "uid-1"},
				known: NewMetadata(),
			}
			test.change(&g)
			g.want.Identity = &v1alpha1.ClientIdentity{Spec: v1alpha1.ClientIdentitySpec{RevokeIssuedBefore: g.revoked}}
			if why := g.want.outdated(g.ref, g.known); (why != "") != test.ends {
				t.Errorf("%q", why)
			}
		})
	}
}
