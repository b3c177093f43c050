// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// from returns a certificate of a CA, asked for at a time after the start.
func from(ca, keyID string, after time.Duration) *v1alpha1.CertificateStatus {
	c := issued(time.Hour)
	c.Issuer, c.AuthorityKeyID, c.IssuedAt = ca, keyID, at(after)
	return c
}

func TestNewerCertificatesOfAnotherCASupersedeOlderOnes(t *testing.T) {
	changes := 0
	i := newIssuers(func() { changes++ })
	older, newer := from("CN=ca", "1", 0), from("CN=ca", "2", time.Hour)
	i.seen("signer", older, start)
	if got := i.superseded("signer", older); !got.IsZero() {
		t.Errorf("superseded since %s although nothing newer was seen", got)
	}
	i.seen("signer", newer, start.Add(time.Hour))
	i.seen("signer", older, start.Add(2*time.Hour)) // seen again, and still older
	i.seen("signer", from("CN=ca", "2", 3*time.Hour), start.Add(3*time.Hour))
	if got, want := i.superseded("signer", older), start.Add(time.Hour); !got.Equal(want) {
		t.Errorf("superseded since %s, want %s, when the new CA was seen first", got, want)
	}
	for name, c := range map[string]*v1alpha1.CertificateStatus{
		"one of the new CA": newer, "a newer one of the old CA": from("CN=ca", "1", 4*time.Hour), "one of which nobody knows when": {Issuer: "CN=ca", AuthorityKeyID: "1"},
	} {
		if got := i.superseded("signer", c); !got.IsZero() {
			t.Errorf("%s is superseded since %s", name, got)
		}
	}
	if got := i.superseded("another", older); !got.IsZero() {
		t.Errorf("superseded by another signer's")
	}
	i.seen("signer", &v1alpha1.CertificateStatus{Issuer: "CN=x"}, start) // without a time
	if changes != 1 {
		t.Errorf("all identities were told %d times, want once", changes)
	}
}

func TestARefusedCAHasEachCertificateIssuedAgainOnce(t *testing.T) {
	changes := 0
	i := newIssuers(func() { changes++ })
	refused := start.Add(time.Hour + 300*time.Millisecond)
	i.refuse(issuerKey{"CN=ca", "1"}, refused)
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
		if got := !i.refusedSince(test.certificate).IsZero(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if changes != 1 {
		t.Errorf("all identities were told %d times, want once", changes)
	}
}

// What is told of a change may look everything up again at once.
func TestIssuersCanBeToldWithoutWaiting(t *testing.T) {
	told := make(chan struct{}, 1)
	i := newIssuers(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	for n := range 10 {
		i.seen("signer", from("CN=ca", fmt.Sprint(n), time.Duration(n)*time.Minute), start)
		i.refuse(issuerKey{"CN=ca", fmt.Sprint(n)}, start)
	}
	if len(told) != 1 {
		t.Error("nobody was told")
	}
}

func TestSpreadOver(t *testing.T) {
	since := start.Add(123 * time.Millisecond)
	var tenths [10]int
	for n := range 1000 {
		uid := types.UID(fmt.Sprintf("9f1c2d3e-4a5b-4c6d-8e7f-%012d", n))
		got := spreadOver(since, 10*time.Minute, uid)
		if got.Before(start) || !got.Before(since.Add(10*time.Minute)) || got.Nanosecond() != 0 || !got.Equal(spreadOver(since, 10*time.Minute, uid)) {
			t.Fatalf("%s: %s", uid, got)
		}
		tenths[int(got.Sub(start)/time.Minute)]++
	}
	for i, n := range tenths {
		if n < 50 {
			t.Errorf("%d of 1000 in minute %d: %v", n, i, tenths)
		}
	}
	if got := spreadOver(since, 0, "uid"); !got.Equal(start) {
		t.Errorf("without a window: %s", got)
	}
}

func TestAnotherSignerInTheSpecSupersedesNobodysCertificate(t *testing.T) {
	const other = "example.com/ca"
	w := newWorld(t, identity("alice"), identity("bob", func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = other }))
	w.Options.AllowedSigners = append(w.Options.AllowedSigners, other)
	ours, theirs := w.ca, newTestCA(t)
	theirs.next = 100
	theirs.cert.RawSubject, theirs.cert.Subject.CommonName = nil, "their-ca"
	w.signs = func(csr *certificatesv1.CertificateSigningRequest) {
		if csr.Spec.SignerName == other {
			theirs.sign(w.clock, time.Hour)(csr)
		} else {
			ours.sign(w.clock, time.Hour)(csr)
		}
	}
	w.ready("bob")
	w.step(time.Minute)
	w.ready("alice")
	w.signs = nil
	w.change("alice", func(id *v1alpha1.ClientIdentity) { id.Spec.SignerName = other })
	w.passes("alice", 2)
	bob := w.passes("bob", 2)
	expectCondition(t, &bob.Status, v1alpha1.ConditionCertificateIssued, "True", v1alpha1.ReasonIssued)
}

func TestAskingInALoopDoesNotMakeOthersWait(t *testing.T) {
	r := newRenewRequests()
	for n := range renewBurst {
		r.slot(fmt.Sprint("identity-", n), "1", start)
	}
	first := r.slot("mallory", "0", start)
	for n := range 1000 {
		if got := r.slot("mallory", fmt.Sprint(n), start); !got.Equal(first) {
			t.Fatalf("another request waits until %s, want %s", got, first)
		}
	}
	if got := r.slot("alice", "1", start); got.Sub(start) > time.Second {
		t.Errorf("alice waits %s", got.Sub(start))
	}
	if again := r.slot("mallory", "later", first); !again.After(first) {
		t.Error("a request after the last one was answered takes no slot")
	}
}
