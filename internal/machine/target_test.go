// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"slices"
	"testing"
	"time"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

// A kubeconfig of somebody else can name this machine's identity.
func TestRenewsWhereItWasEnrolled(t *testing.T) {
	const enrolledAt, elsewhere = "https://prod.example.com", "https://elsewhere.example.com"
	ours, others := []byte("the CA of the cluster"), []byte("another CA")
	for name, test := range map[string]struct {
		asked *Target
		// unverified is the server whose certificate is of another CA.
		unverified string
		want       []string
	}{
		"where nobody says":                     {nil, "", []string{enrolledAt}},
		"by another URL of the same CA":         {&Target{Server: "https://10.0.0.1", CertificateAuthorityData: ours}, "", []string{"https://10.0.0.1"}},
		"and not elsewhere":                     {&Target{Server: elsewhere, CertificateAuthorityData: others}, "", []string{enrolledAt}},
		"and nowhere unchecked":                 {&Target{Server: elsewhere, CertificateAuthorityData: ours, Insecure: true}, "", []string{enrolledAt}},
		"nor by another name":                   {&Target{Server: elsewhere, CertificateAuthorityData: ours, TLSServerName: "node-1"}, "", []string{enrolledAt}},
		"elsewhere once the CA was replaced":    {&Target{Server: elsewhere, CertificateAuthorityData: others}, enrolledAt, []string{enrolledAt, elsewhere}},
		"nowhere where nothing can be verified": {nil, enrolledAt, []string{enrolledAt}},
	} {
		t.Run(name, func(t *testing.T) {
			w := enrolled(t)
			record, err := w.folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			record.Cluster = kubeconfig.Parameters{Server: enrolledAt, CertificateAuthorityData: ours}
			if err := w.folder.Save(record); err != nil {
				t.Fatal(err)
			}
			w.cluster.asked, w.cluster.unverified = nil, test.unverified
			w.step(17 * time.Hour)
			served, err := w.Serve(t.Context(), "alice", uid, test.asked)
			if err != nil {
				t.Fatal(err)
			}
			w.check(served)
			if got := slices.Compact(w.cluster.asked); !slices.Equal(got, test.want) {
				t.Errorf("asked %q, want %q", got, test.want)
			}
		})
	}
}
