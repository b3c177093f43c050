// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

// standing is the status of an identity whose credential has been published for long.
func standing() v1alpha1.ClientIdentityStatus {
	return v1alpha1.ClientIdentityStatus{
		ObservedGeneration: 2, BoundBindings: 1, GroupList: "developers", Certificate: issued(time.Hour),
		Certificates:     []v1alpha1.IssuedCertificate{{Revision: 1, Fingerprint: "f1", NotBefore: at(-5 * time.Minute), NotAfter: at(time.Hour)}},
		OutstandingUntil: at(time.Hour),
		SecretRef:        &v1alpha1.SecretReference{Namespace: "team", Name: "alice", ResourceVersion: "1"},
		Server:           &v1alpha1.ServerStatus{URL: "https://old.example.com", Source: v1alpha1.ServerFromFlag},
		Conditions:       []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}},
		ResidualAccess:   &v1alpha1.ResidualAccess{Total: 1},
	}
}

var (
	moved   = &v1alpha1.SecretReference{Namespace: "team", Name: "alice", ResourceVersion: "2"}
	server  = &v1alpha1.ServerStatus{URL: "https://new.example.com", Source: v1alpha1.ServerFromClusterInfo}
	waiting = &v1alpha1.IssuanceStatus{CertificateSigningRequest: "alice-1"}
)

func finds(in *Input) {
	in.Before, in.Credential.SecretRef, in.Credential.Server, in.Credential.Issuance = standing(), moved, server, waiting
	in.Credential.Schedule.RenewalTime = start.Add(40 * time.Minute)
}

func TestAStatusSaysWhatWasFoundAndDone(t *testing.T) {
	in := input(finds)
	got := Compute(in)
	want := standing()
	want.ObservedGeneration, want.BoundBindings, want.GroupList, want.ResidualAccess = 3, 2, "developers,team-a", nil
	want.SecretRef, want.Server, want.Issuance = moved, server, waiting
	want.Certificate.RenewalTime = at(40 * time.Minute)
	want.Conditions, want.State, want.StateReason = got.Conditions, got.State, got.StateReason // see TestConditions
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady); ready == nil || ready.ObservedGeneration != 3 {
		t.Errorf("Ready is %+v", ready)
	}
	if diff := cmp.Diff(standing(), in.Before); diff != "" {
		t.Errorf("changes the status before:\n%s", diff)
	}
	in = input(finds)
	in.Credential.Server, in.Credential.Schedule.RenewalTime, in.Before.Certificate.RenewalTime = nil, time.Time{}, at(time.Minute)
	if got := Compute(in); got.Server.URL != "https://old.example.com" || got.Certificate.RenewalTime != nil {
		t.Errorf("the server is %+v, though it was not looked at, and the renewal at %s, though there is none", got.Server, got.Certificate.RenewalTime)
	}
}

func TestARequestThatWasJustMadeIsNotWorthAStatus(t *testing.T) {
	quietly := standing()
	quietly.SecretRef = moved
	if diff := cmp.Diff(quietly, Compute(input(finds, quiet))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, worth := range map[string]func(*Input){"the credential": credentialProblem(denied), "a binding": bindingProblem(conflict), "a cache": stale} {
		if got := Compute(input(finds, quiet, worth)); got.BoundBindings != 2 || got.Issuance != waiting {
			t.Errorf("a problem with %s is not told: %+v", name, got)
		}
	}
}

func TestAStaleCacheChangesNoCondition(t *testing.T) {
	got := Compute(input(finds, stale, publishes(published(t, 2, 0)), credentialProblem(denied)))
	before := standing()
	if diff := cmp.Diff(before.Conditions, got.Conditions); diff != "" || got.ObservedGeneration != 2 {
		t.Errorf("generation %d, conditions (-want +got):\n%s", got.ObservedGeneration, diff)
	}
	if got.Certificate.SerialNumber != "02" || got.SecretRef != moved || got.BoundBindings != 2 {
		t.Errorf("what was done is not remembered: %+v", got)
	}
}

func TestAPublishedCertificateIsDescribed(t *testing.T) {
	c := published(t, 2, 30*time.Minute)
	in := input(finds, publishes(c), after(30*time.Minute))
	ended := v1alpha1.IssuedCertificate{Fingerprint: "ended", NotAfter: at(30*time.Minute - timing.ClockSkew)}
	in.Before.Certificates = append(in.Before.Certificates, ended, v1alpha1.IssuedCertificate{Fingerprint: "unknown"})
	got := Compute(in)

	want := &v1alpha1.CertificateStatus{
		SerialNumber: "02", Fingerprint: c.Issued.Fingerprint(), NotBefore: at(25 * time.Minute), NotAfter: at(90 * time.Minute),
		RequestTime: at(30 * time.Minute), RenewalTime: at(40 * time.Minute), Issuer: "CN=ca", AuthorityKeyID: "ca",
		RequestedTTL: &metav1.Duration{Duration: time.Hour}, Revision: 2,
	}
	if diff := cmp.Diff(want, got.Certificate); diff != "" {
		t.Errorf("certificate (-want +got):\n%s", diff)
	}
	all := append([]v1alpha1.IssuedCertificate{{
		Revision: 2, Fingerprint: c.Issued.Fingerprint(), SerialNumber: "02", Groups: []string{"developers", "team-a"},
		NotBefore: at(25 * time.Minute), NotAfter: at(90 * time.Minute), Issuer: "CN=ca",
	}}, standing().Certificates...)
	if diff := cmp.Diff(all, got.Certificates); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
	if !got.OutstandingUntil.Equal(at(90*time.Minute)) || got.LastHandledRenewRequest != "now" {
		t.Errorf("outstanding until %s, handled %q", got.OutstandingUntil, got.LastHandledRenewRequest)
	}
	in.Before.OutstandingUntil = at(24 * time.Hour)
	for range 30 {
		in.Before.Certificates = append(in.Before.Certificates, standing().Certificates...)
	}
	if got := Compute(in); !got.OutstandingUntil.Equal(at(24*time.Hour)) || len(got.Certificates) != 20 || !got.OtherCertificates.NotAfter.Equal(standing().Certificates[0].NotAfter) {
		t.Errorf("outstanding until %s, of %d certificates", got.OutstandingUntil, len(got.Certificates))
	}
}

func TestAWithdrawalSaysThatGroupsAreNotKnown(t *testing.T) {
	in := Withdrawal{Identity: identity(), Before: standing(), CredentialGone: true, Done: true}
	in.Before.OtherCertificates = &v1alpha1.OtherCertificates{NotAfter: at(time.Hour), MoreGroups: true}
	in.Ending = access.Ending{Reason: v1alpha1.ReasonAccessEnded, Message: "it is over"}
	got := ComputeWithdrawn(in)
	if !got.OtherCertificates.Withdrawn || in.Before.OtherCertificates.Withdrawn {
		t.Errorf("of the others it says %+v, and before that %+v", got.OtherCertificates, in.Before.OtherCertificates)
	}
	want := "; certificates that are still valid carry more groups than the status has room for: what others granted to those is not counted"
	if c := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionWithdrawn); c == nil || !strings.HasSuffix(c.Message, want) {
		t.Errorf("Withdrawn is %+v", c)
	}
}

func TestSinceWhenACredentialIsPublished(t *testing.T) {
	first := Compute(input(func(in *Input) { in.Credential.Published = published(t, 1, 0) }))
	if !first.PublishedSince.Equal(at(0)) {
		t.Errorf("the first one: %v", first.PublishedSince)
	}
	renewed := Compute(input(after(2*time.Hour), func(in *Input) { in.Before, in.Credential.Published = first, published(t, 2, 2*time.Hour) }))
	if !renewed.PublishedSince.Equal(at(0)) {
		t.Errorf("a renewal: %v", renewed.PublishedSince)
	}
	earlier := *first.DeepCopy()
	earlier.PublishedSince = nil
	if got := Compute(input(after(2*time.Hour), func(in *Input) { in.Before, in.Credential.Published = earlier, published(t, 2, 2*time.Hour) })); !got.PublishedSince.Equal(at(0)) {
		t.Errorf("one that an earlier version published before: %v", got.PublishedSince)
	}
	gone := ComputeWithdrawn(Withdrawal{Identity: identity(), Before: renewed, CredentialGone: true, SecretGone: true, Done: true})
	if gone.PublishedSince != nil {
		t.Errorf("withdrawn: %v", gone.PublishedSince)
	}
	again := Compute(input(after(3*time.Hour), func(in *Input) { in.Before, in.Credential.Published = gone, published(t, 3, 3*time.Hour) }))
	if !again.PublishedSince.Equal(at(3 * time.Hour)) {
		t.Errorf("active again: %v", again.PublishedSince)
	}
}

func TestWhatNobodyUsesIsDormantAndReadyAllTheSame(t *testing.T) {
	unused := func(in *Input) { in.Dormancy.Since = start.Add(-time.Hour) }
	before := Compute(input(func(in *Input) { in.Before.Certificate = issued(time.Hour) }))
	status := Compute(input(unused, func(in *Input) { in.Before = before }))
	is := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDormant)
	if is == nil || is.Status != metav1.ConditionTrue || is.Reason != v1alpha1.ReasonUnused ||
		is.Message != "Nobody has used a certificate of this identity since 2026-11-22T02:04:00Z" || !status.DormantSince.Equal(at(-time.Hour)) {
		t.Fatalf("status: %+v", status)
	}
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		t.Error("it is not ready")
	}
	expectNoCondition(t, &status, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled) // or kstatus would not read it as current
	id := identity()
	id.Status = before
	if told := Events(id, &status); len(told) != 1 || told[0].Reason != v1alpha1.ReasonUnused {
		t.Errorf("events: %+v", told)
	}
	id.Status = status
	if told := Events(id, &status); len(told) != 0 {
		t.Errorf("again: %+v", told)
	}

	unknown := Compute(input(func(in *Input) { in.Before, in.Dormancy.Unknown = status, true }))
	if meta.FindStatusCondition(unknown.Conditions, v1alpha1.ConditionDormant) == nil || unknown.DormantSince == nil {
		t.Error("what is not known is taken back")
	}
	used := Compute(input(func(in *Input) { in.Before = status }))
	expectNoCondition(t, &used, v1alpha1.ConditionDormant)
	if used.DormantSince != nil {
		t.Errorf("used: dormant since %v", used.DormantSince)
	}

	for reason, kept := range map[string]bool{v1alpha1.ReasonDormant: true, v1alpha1.ReasonAccessEnded: false, v1alpha1.ReasonWithdrawnByState: false} {
		gone := ComputeWithdrawn(Withdrawal{Identity: identity(), Before: status, Ending: access.Ending{Reason: reason}, CredentialGone: true, SecretGone: true, Done: true})
		expectNoCondition(t, &gone, v1alpha1.ConditionDormant, v1alpha1.ConditionReady)
		if (gone.DormantSince != nil) != kept {
			t.Errorf("withdrawn for %s: dormant since %v", reason, gone.DormantSince)
		}
	}
}

func TestAWithdrawalKeepsWhatIsLeft(t *testing.T) {
	ending := access.Ending{Reason: v1alpha1.ReasonAccessEnded, Message: "spec.accessUntil has passed"}
	residual := &v1alpha1.ResidualAccess{Total: 2}
	withdrawnEntry := standing().Certificates
	withdrawnEntry[0].Withdrawn = true
	for name, test := range map[string]struct {
		given   Withdrawal
		want    func(*v1alpha1.ClientIdentityStatus)
		message string
	}{
		"nothing is gone yet": {Withdrawal{}, func(*v1alpha1.ClientIdentityStatus) {}, ""},
		"the Secret is gone":  {Withdrawal{SecretGone: true}, func(s *v1alpha1.ClientIdentityStatus) { s.SecretRef = nil }, ""},
		"the certificate is over": {Withdrawal{CredentialGone: true}, func(s *v1alpha1.ClientIdentityStatus) {
			s.Certificate, s.Server, s.Certificates = nil, nil, withdrawnEntry
		}, ""},
		"a cache was behind": {Withdrawal{Stale: true, SecretGone: true, Done: true}, func(s *v1alpha1.ClientIdentityStatus) {
			s.SecretRef, s.ObservedGeneration = nil, 2
		}, ""},
		"all is gone": {Withdrawal{SecretGone: true, CredentialGone: true, Done: true, Residual: &v1alpha1.ResidualAccess{}}, func(s *v1alpha1.ClientIdentityStatus) {
			s.SecretRef, s.Certificate, s.Server, s.Certificates, s.ResidualAccess = nil, nil, nil, withdrawnEntry, &v1alpha1.ResidualAccess{}
		}, "spec.accessUntil has passed: role bindings and Secret are gone"},
		"others still grant something": {Withdrawal{SecretGone: true, CredentialGone: true, Done: true, Residual: residual}, func(s *v1alpha1.ClientIdentityStatus) {
			s.SecretRef, s.Certificate, s.Server, s.Certificates, s.ResidualAccess = nil, nil, nil, withdrawnEntry, residual
		}, "spec.accessUntil has passed: role bindings and Secret are gone; 2 role bindings of others still grant this user or one of its groups something: " +
			`see status.residualAccess, and kubectl auth can-i --list --as="alice@example.com" with --as-group for each group`},
	} {
		t.Run(name, func(t *testing.T) {
			test.given.Identity, test.given.Before, test.given.Ending = identity(), standing(), ending
			got := ComputeWithdrawn(test.given)
			want := standing()
			want.BoundBindings, want.ObservedGeneration, want.RevocationReach = 0, 3, v1alpha1.ReachBindings
			test.want(&want)
			if test.given.Stale {
				want.Conditions, want.RevocationReach = standing().Conditions, ""
			} else {
				want.Conditions, want.State, want.StateReason = got.Conditions, got.State, got.StateReason // see TestWithdrawnHasNoReadyCondition
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionWithdrawn); test.message != "" && (c == nil || c.Message != test.message) {
				t.Errorf("Withdrawn is %+v", c)
			}
			if diff := cmp.Diff(standing(), test.given.Before); diff != "" {
				t.Errorf("changes the status before:\n%s", diff)
			}
		})
	}
}
