// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// more lists another certificate, of the operator's or of a device.
func more(digit rune, revision int64, device string, end time.Duration) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{
			Fingerprint: fingerprint(digit), Revision: revision, Device: device, NotAfter: in(end),
		})
	}
}

// revoking has certificates in the list of revoked ones.
func revoking(fingerprints ...string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		for _, f := range fingerprints {
			id.Spec.RevokedCertificates = append(id.Spec.RevokedCertificates, v1alpha1.RevokedCertificate{Fingerprint: f, Reason: "as before"})
		}
	}
}

// numbered returns fingerprints that no status lists.
func numbered(count int) []string {
	var fingerprints []string
	for i := range count {
		fingerprints = append(fingerprints, fmt.Sprintf("%064d", i))
	}
	return fingerprints
}

func unlistedOnes(id *v1alpha1.ClientIdentity) {
	id.Status.OtherCertificates = &v1alpha1.OtherCertificates{NotAfter: in(time.Hour)}
}

var (
	laptop = onDevice("laptop", time.Hour, time.Minute, v1alpha1.DeviceActive)
	both   = func(id *v1alpha1.ClientIdentity) {
		heldOn(laptop)(id)
		more('e', 5, "phone", time.Hour)(id)
	}
)

func TestWhatIsRevoked(t *testing.T) {
	aa, dd := fingerprint('a'), fingerprint('d')
	for what, row := range map[string]struct {
		given []func(*v1alpha1.ClientIdentity)
		asked whatToRevoke
		// want are the fingerprints, or "all"; refused is part of the error.
		want    []string
		refused string
	}{
		"all":                                  {asked: whatToRevoke{all: true}, want: []string{"all"}},
		"the only certificate, by time":        {want: []string{"all"}},
		"the only one that is valid":           {given: []func(*v1alpha1.ClientIdentity){more('b', 2, "", -time.Hour)}, want: []string{"all"}},
		"the only one that is not revoked":     {given: []func(*v1alpha1.ClientIdentity){more('b', 2, "", time.Hour), revoking(fingerprint('b'))}, want: []string{"all"}},
		"nothing of two":                       {given: []func(*v1alpha1.ClientIdentity){more('b', 2, "", time.Hour)}, refused: "certificate 2 (bbbbbbbbbbbb), valid until"},
		"nothing of one and some more":         {given: []func(*v1alpha1.ClientIdentity){unlistedOnes}, refused: "more than one thing"},
		"nothing where all are revoked":        {given: []func(*v1alpha1.ClientIdentity){revoking(aa)}, refused: "no valid certificate that is not revoked"},
		"the only device":                      {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop)}, want: []string{dd}},
		"nothing of two devices":               {given: []func(*v1alpha1.ClientIdentity){both}, refused: "which renews no more: laptop, phone"},
		"a device":                             {given: []func(*v1alpha1.ClientIdentity){both}, asked: whatToRevoke{device: "laptop"}, want: []string{dd}},
		"a device with both of its":            {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop), more('c', 2, "laptop", time.Minute)}, asked: whatToRevoke{device: "laptop"}, want: []string{dd, fingerprint('c')}},
		"no certificate from before enrolment": {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop), more('c', 0, "laptop", time.Minute)}, asked: whatToRevoke{device: "laptop"}, want: []string{dd}},
		"a device that the list has no room for": {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop), func(id *v1alpha1.ClientIdentity) { id.Status.Certificates = nil }},
			asked: whatToRevoke{device: "laptop"}, want: []string{dd}},
		"no device that has ended":    {given: []func(*v1alpha1.ClientIdentity){heldOn(onDevice("laptop", -time.Hour, 0, v1alpha1.DeviceActive))}, asked: whatToRevoke{device: "laptop"}, refused: "has no valid certificate"},
		"no device that is not there": {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop)}, asked: whatToRevoke{device: "phone"}, refused: "those with a valid certificate are: laptop"},
		"no device of the operator's": {asked: whatToRevoke{device: "phone"}, refused: "the operator makes its key"},
		"a fingerprint":               {asked: whatToRevoke{fingerprint: aa}, want: []string{aa}},
		"its beginning":               {asked: whatToRevoke{fingerprint: "AAAAAAAA"}, want: []string{aa}},
		"as openssl writes it":        {asked: whatToRevoke{fingerprint: strings.TrimSuffix(strings.Repeat("AA:", 32), ":")}, want: []string{aa}},
		"as an audit event has it":    {asked: whatToRevoke{fingerprint: "X509SHA256=" + aa}, want: []string{aa}},
		"one that nobody knows":       {asked: whatToRevoke{fingerprint: fingerprint('9')}, want: []string{fingerprint('9')}},
		"no beginning of two": {given: []func(*v1alpha1.ClientIdentity){func(id *v1alpha1.ClientIdentity) {
			id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: aa[:63] + "b"})
		}}, asked: whatToRevoke{fingerprint: aa[:20]}, refused: "2 certificates of ClientIdentity \"alice\" begin with"},
		"no beginning of none":  {asked: whatToRevoke{fingerprint: "99999999"}, refused: "give all 64 digits"},
		"no short beginning":    {asked: whatToRevoke{fingerprint: "aaaaaaa"}, refused: "is no fingerprint"},
		"nothing that is none":  {asked: whatToRevoke{fingerprint: "alice's laptop"}, refused: "is no fingerprint"},
		"nothing that is long":  {asked: whatToRevoke{fingerprint: aa + "a"}, refused: "is no fingerprint"},
		"nothing hidden in one": {asked: whatToRevoke{fingerprint: "aaaaaaaa\u200b"}, refused: "is no fingerprint"},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", row.given...)
			got, err := row.asked.plan(&id, now)
			if row.refused != "" {
				if err == nil || !strings.Contains(err.Error(), row.refused) {
					t.Fatalf("got %v, want an error with %q", err, row.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			fingerprints := got.fingerprints
			if got.all {
				fingerprints = []string{"all"}
			}
			if !slices.Equal(fingerprints, row.want) {
				t.Errorf("got %q, want %q", fingerprints, row.want)
			}
			if got.what == "" {
				t.Error("it does not say what")
			}
		})
	}
}

func TestTheListOfRevokedOnes(t *testing.T) {
	kept := v1alpha1.RevokedCertificate{Fingerprint: fingerprint('1'), Reason: "as before"}
	for what, row := range map[string]struct {
		given   []func(*v1alpha1.ClientIdentity)
		want    []v1alpha1.RevokedCertificate
		added   int
		refused string
	}{
		"is begun":                   {want: []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint('a'), Reason: "why"}}, added: 1},
		"keeps what stands there":    {given: []func(*v1alpha1.ClientIdentity){revoking(kept.Fingerprint)}, want: []v1alpha1.RevokedCertificate{kept, {Fingerprint: fingerprint('a'), Reason: "why"}}, added: 1},
		"stays as it is":             {given: []func(*v1alpha1.ClientIdentity){revoking(fingerprint('a'))}, want: []v1alpha1.RevokedCertificate{{Fingerprint: fingerprint('a'), Reason: "as before"}}},
		"is full of others":          {given: []func(*v1alpha1.ClientIdentity){revoking(numbered(64)...)}, refused: "remove the 64 that are not valid any more"},
		"is full of unknown ones":    {given: []func(*v1alpha1.ClientIdentity){revoking(numbered(64)...), unlistedOnes}, refused: "among the 64 that status.certificates does not list"},
		"has everything, being full": {given: []func(*v1alpha1.ClientIdentity){revoking(append(numbered(63), fingerprint('a'))...)}, added: 0},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", row.given...)
			list, added, err := revocation{fingerprints: []string{fingerprint('a')}}.list(&id, "why", now)
			switch {
			case row.refused != "":
				if err == nil || !strings.Contains(err.Error(), row.refused) || !strings.Contains(err.Error(), "--all") {
					t.Errorf("got %v, want an error with %q", err, row.refused)
				}
			case err != nil || added != row.added || row.want != nil && !slices.Equal(list, row.want):
				t.Errorf("got %v, %d, %v", list, added, err)
			}
		})
	}
}

func TestRevocationAt(t *testing.T) {
	for what, row := range map[string]struct{ before, want *metav1.Time }{
		"the first one":             {nil, in(0)},
		"a later one":               {in(-time.Hour), in(0)},
		"a second in one second":    {in(0), in(time.Second)},
		"one that was set too late": {in(30 * time.Second), in(31 * time.Second)},
	} {
		id := identity("alice")
		id.Spec.RevokeIssuedBefore = row.before
		if got := revocationAt(&id, now.Add(300*time.Millisecond)); !got.Equal(row.want) {
			t.Errorf("%s: got %s, want %s", what, got, row.want)
		}
	}
}

func TestWhenItIsCutOff(t *testing.T) {
	complete := func(status metav1.ConditionStatus, reason string) func(*v1alpha1.ClientIdentity) {
		return condition(v1alpha1.ObservedReady, v1alpha1.ConditionRevocationComplete, status, reason, "as it is.")
	}
	renewed := func(id *v1alpha1.ClientIdentity) { id.Status.Certificate.Fingerprint = fingerprint('b') }
	all, one, dev := revocation{all: true}, revocation{fingerprints: []string{fingerprint('9')}}, revocation{device: "laptop", fingerprints: []string{fingerprint('d')}}
	for what, row := range map[string]struct {
		given []func(*v1alpha1.ClientIdentity)
		plan  revocation
		done  bool
		now   string // what is waited for
		left  string // what it does not reach
	}{
		"not before the operator has looked":  {given: []func(*v1alpha1.ClientIdentity){complete("True", "Revoked"), renewed, func(id *v1alpha1.ClientIdentity) { id.Generation++ }}, plan: all, now: notLookedAt},
		"not before the next kubeconfig":      {given: []func(*v1alpha1.ClientIdentity){complete("True", "Revoked")}, plan: all, now: "waiting for the next certificate"},
		"with the next kubeconfig":            {given: []func(*v1alpha1.ClientIdentity){complete("True", "Revoked"), renewed}, plan: all, done: true},
		"without one for another certificate": {given: []func(*v1alpha1.ClientIdentity){complete("True", "DeniedByAPIServer")}, plan: one, done: true},
		"not while a binding is stuck":        {given: []func(*v1alpha1.ClientIdentity){complete("False", "BindingNotRevoked"), renewed}, plan: all, now: "BindingNotRevoked: as it is."},
		"as far as it goes by user name":      {given: []func(*v1alpha1.ClientIdentity){complete("False", "OlderCertificatesValid"), renewed}, plan: all, done: true, left: "still has rights: as it is."},
		"as far as it goes undenied":          {given: []func(*v1alpha1.ClientIdentity){complete("False", "NotDenied")}, plan: one, done: true, left: "still has rights: as it is."},
		"not before the device is revoked":    {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop), complete("True", "DeniedByAPIServer")}, plan: dev, now: "waiting until device laptop is revoked"},
		"with the device":                     {given: []func(*v1alpha1.ClientIdentity){heldOn(onDevice("laptop", time.Hour, 0, v1alpha1.DeviceRevoked)), complete("True", "DeniedByAPIServer")}, plan: dev, done: true},
		"with all devices, and no kubeconfig": {given: []func(*v1alpha1.ClientIdentity){heldOn(laptop), complete("True", "Revoked")}, plan: all, done: true},
		"with the withdrawal": {given: []func(*v1alpha1.ClientIdentity){func(id *v1alpha1.ClientIdentity) {
			id.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionWithdrawn, Status: metav1.ConditionTrue}}
		}}, plan: all, done: true},
	} {
		t.Run(what, func(t *testing.T) {
			id := identity("alice", row.given...)
			before := &v1alpha1.CertificateStatus{Fingerprint: fingerprint('a')}
			got, err := cutOff(row.plan, before)(&id)
			if err != nil || got.done != row.done || !strings.Contains(got.now, row.now) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if !row.done {
				return
			}
			if err := reached(&id, row.plan); (err == nil) != (row.left == "") || err != nil && !strings.Contains(err.Error(), row.left) {
				t.Errorf("it does not reach %v, want %q", err, row.left)
			}
		})
	}
}
