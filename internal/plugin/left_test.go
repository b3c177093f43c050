// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

func TestWhatIsLeftOfCertificates(t *testing.T) {
	outstanding := func(id *v1alpha1.ClientIdentity) { id.Status.OutstandingUntil = in(day) }
	denied := func(id *v1alpha1.ClientIdentity) { id.Status.RevocationReach = v1alpha1.ReachAPIServer }
	carrying := func(id *v1alpha1.ClientIdentity) {
		id.Status.Certificates[0].Groups = []string{certificate.CredentialGroup(string(id.UID), nil)}
	}
	for what, row := range map[string]struct {
		given []func(*v1alpha1.ClientIdentity)
		want  string
	}{
		"none":                       {nil, "None of its certificates is valid any more."},
		"all, where nobody denies":   {[]func(*v1alpha1.ClientIdentity){outstanding, carrying}, "whoever has one is that user until then"},
		"nothing, where all are":     {[]func(*v1alpha1.ClientIdentity){outstanding, denied, carrying}, "The API server denies requests with its certificates, which"},
		"those without the group":    {[]func(*v1alpha1.ClientIdentity){outstanding, denied}, "with those of its certificates that carry its credential group"},
		"those that are not listed":  {[]func(*v1alpha1.ClientIdentity){outstanding, denied, carrying, unlistedOnes}, "with those of its certificates that carry its credential group"},
		"no group that one once had": {[]func(*v1alpha1.ClientIdentity){outstanding, denied, carrying, more('b', 2, "", -day)}, "The API server denies requests with its certificates, which"},
	} {
		id := identity("alice", row.given...)
		if got := certificatesLeft(&id, now); !strings.Contains(got, row.want) {
			t.Errorf("%s: got %q, want %q", what, got, row.want)
		}
	}
}
