// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"fmt"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestNewerCertificatesOfAnotherCASupersedeOlderOnes(t *testing.T) {
	changes := 0
	r := NewRegistry(func() { changes++ })
	older, newer := from("CN=ca", "1", 0), from("CN=ca", "2", time.Hour)
	r.Seen("signer", older, start)
	if got := r.Superseded("signer", older); !got.IsZero() {
		t.Errorf("superseded since %s although nothing newer was seen", got)
	}
	r.Seen("signer", newer, start.Add(time.Hour))
	r.Seen("signer", older, start.Add(2*time.Hour)) // seen again, and still older
	r.Seen("signer", from("CN=ca", "2", 3*time.Hour), start.Add(3*time.Hour))
	if got, want := r.Superseded("signer", older), start.Add(time.Hour); !got.Equal(want) {
		t.Errorf("superseded since %s, want %s, when the new CA was seen first", got, want)
	}
	for name, c := range map[string]*v1alpha1.CertificateStatus{
		"one of the new CA": newer, "a newer one of the old CA": from("CN=ca", "1", 4*time.Hour), "one of which nobody knows when": {Issuer: "CN=ca", AuthorityKeyID: "1"},
	} {
		if got := r.Superseded("signer", c); !got.IsZero() {
			t.Errorf("%s is superseded since %s", name, got)
		}
	}
	if got := r.Superseded("another", older); !got.IsZero() {
		t.Errorf("superseded by another signer's")
	}
	r.Seen("signer", &v1alpha1.CertificateStatus{Issuer: "CN=x"}, start) // without a time
	if changes != 1 {
		t.Errorf("all identities were told %d times, want once", changes)
	}
}

func TestARefusedCAHasEachCertificateIssuedAgainOnce(t *testing.T) {
	changes := 0
	r := NewRegistry(func() { changes++ })
	refused := start.Add(time.Hour + 300*time.Millisecond)
	r.refuse(key{"CN=ca", "1"}, refused)
	for name, test := range map[string]struct {
		certificate *v1alpha1.CertificateStatus
		want        bool
	}{
		"an older one":                      {from("CN=ca", "1", 0), true},
		"one of which nobody knows when":    {&v1alpha1.CertificateStatus{Issuer: "CN=ca", AuthorityKeyID: "1"}, true},
		"a younger one":                     {from("CN=ca", "1", 2*time.Hour), false},
		"one of the same second":            {from("CN=ca", "1", time.Hour), false},
		"one of another key":                {from("CN=ca", "2", 0), false},
		"one of another name with that key": {from("CN=other", "1", 0), false},
	} {
		if got := !r.RefusedSince(test.certificate).IsZero(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if changes != 1 {
		t.Errorf("all identities were told %d times, want once", changes)
	}
}

// What is told of a change may look everything up again at once.
func TestTheRegistryTellsWithoutWaiting(t *testing.T) {
	told := make(chan struct{}, 1)
	r := NewRegistry(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	for n := range 10 {
		r.Seen("signer", from("CN=ca", fmt.Sprint(n), time.Duration(n)*time.Minute), start)
		r.refuse(key{"CN=ca", fmt.Sprint(n)}, start)
	}
	if len(told) != 1 {
		t.Error("nobody was told")
	}
}
