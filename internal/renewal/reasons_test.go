// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"strings"
	"testing"
	"time"
)

// situation is what a reason to issue is looked for in.
type situation struct {
	Input
	Schedule
}

// healthy is an identity with a certificate of a day that was issued an hour ago.
func healthy(change func(*situation)) situation {
	v := issued(asked, day)
	in := situation{Input{Now: asked.Add(time.Hour), Published: &Published{Validity: v}}, Schedule{RenewalTime: At(v, Policy{}, "uid")}}
	if change != nil {
		change(&in)
	}
	return in
}

func (s situation) decide() (Reason, string) { return decide(s.Input, s.Schedule) }

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		given   func(*situation)
		want    Reason
		message string
	}{
		"does nothing for a healthy certificate": {},
		"issues the first one":                   {given: func(in *situation) { *in = situation{Input: Input{Now: asked}} }, want: SecretMissing, message: "No usable credential is published"},
		"issues again where the Secret is damaged": {
			given: func(in *situation) { in.Published.ContentProblem = "tls.key does not belong to tls.crt" },
			want:  SecretDamaged, message: "The published credential is damaged: tls.key does not belong to tls.crt"},
		"issues again where the request changed": {
			given: func(in *situation) { in.Published.RequestChanged = true },
			want:  RequestChanged, message: "The spec asks for another certificate than the published one"},
		"issues again where the certificate is revoked": {
			given: func(in *situation) { in.Published.Revoked = true },
			want:  Revoked, message: "The published certificate is among spec.revokedCertificates"},
		"issues again at the very end of the certificate": {
			given: func(in *situation) { in.Now = in.Published.NotAfter },
			want:  Expired, message: "The certificate expired at 2026-12-02T07:55:00Z"},
		"issues again after its end although that is where the CA ends": {
			given: func(in *situation) { in.Now, in.Schedule = asked.Add(2*day), Schedule{Capped: true} },
			want:  Expired, message: "The certificate expired at 2026-12-02T07:55:00Z"},
		"issues a shorter one where access ends earlier": {
			given: func(in *situation) { in.AccessUntil = ptr(asked.Add(12 * time.Hour)) },
			want:  AccessEndsEarlier, message: "The certificate is valid until 2026-12-02T07:55:00Z, which is after accessUntil, 2026-12-01T20:00:00Z"},
		"does nothing where access ends with the certificate": {given: func(in *situation) { in.AccessUntil = &in.Published.NotAfter }},
		"issues again where the issuer is no longer trusted": {
			given: func(in *situation) { in.Issuer.RefusedAt = in.Now },
			want:  Untrusted, message: "The API server no longer accepts the issuer of the certificate"},
		"does nothing before its turn where that is so": {given: func(in *situation) { in.Issuer.RefusedAt = in.Now.Add(1) }},
		"issues again on request": {
			given: func(in *situation) { in.RenewRequest = "now" },
			want:  RenewRequested, message: "A renewal was requested with the annotation clientidentity.dev/renew-requested-at"},
		"issues on request although that buys no time": {given: func(in *situation) { in.RenewRequest, in.Schedule = "now", Schedule{Capped: true} }, want: RenewRequested,
			message: "A renewal was requested with the annotation clientidentity.dev/renew-requested-at"},
		"handles a request once": {given: func(in *situation) { in.RenewRequest, in.LastHandledRenewRequest = "now", "now" }},
		"handles a request of any length once": {given: func(in *situation) {
			in.RenewRequest = longRequest
			in.LastHandledRenewRequest = RenewRequestID(longRequest)
		}},
		"takes a removed annotation for none":     {given: func(in *situation) { in.LastHandledRenewRequest = "now" }},
		"does nothing before the renewal time":    {given: func(in *situation) { in.Now = in.RenewalTime.Add(-1) }},
		"does nothing where none is planned":      {given: func(in *situation) { in.RenewalTime = time.Time{} }},
		"does nothing where it would buy no time": {given: func(in *situation) { in.Now, in.Schedule = in.RenewalTime, Schedule{Capped: true} }},
		"tries whether it would buy time by now": {
			given: func(in *situation) { in.Now, in.Capped = in.RenewalTime, true },
			want:  RenewalDue, message: "The certificate is due for renewal since 2026-12-01T23:51:56Z and valid until 2026-12-02T07:55:00Z"},
		"renews when the renewal time has come": {
			given: func(in *situation) { in.Now = in.RenewalTime },
			want:  RenewalDue, message: "The certificate is due for renewal since 2026-12-01T23:51:56Z and valid until 2026-12-02T07:55:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := healthy(test.given)
			reason, message := in.decide()
			if reason != test.want || message != test.message {
				t.Errorf("got %q, %q; want %q, %q", reason, message, test.want, test.message)
			}
			if reason == "" {
				return
			}
			in.Now = in.Now.Add(17 * time.Second)
			if _, later := in.decide(); later != message {
				t.Errorf("the message changes with the time: %q, then %q", message, later)
			}
		})
	}
}

var longRequest = strings.Repeat("x", 1000)

func TestDecideTakesTheFirstReason(t *testing.T) {
	in := healthy(func(in *situation) {
		in.Now = asked.Add(2 * day)
		in.Published.ContentProblem = "no key"
		in.Published.RequestChanged, in.Published.Revoked, in.Issuer.RefusedAt = true, true, asked
		in.AccessUntil, in.RenewRequest = &asked, "now"
	})
	published := in.Published
	in.Published = nil
	steps := []struct {
		want   Reason
		remedy func()
	}{
		{SecretMissing, func() { in.Published = published }},
		{SecretDamaged, func() { in.Published.ContentProblem = "" }},
		{RequestChanged, func() { in.Published.RequestChanged = false }},
		{Revoked, func() { in.Published.Revoked = false }},
		{Expired, func() { in.Now = in.Published.NotAfter.Add(-1) }},
		{AccessEndsEarlier, func() { in.AccessUntil = nil }},
		{Untrusted, func() { in.Issuer.RefusedAt = time.Time{} }},
		{RenewRequested, func() { in.RenewRequest = "" }},
		{RenewalDue, func() { in.RenewalTime = time.Time{} }},
		{"", func() {}},
	}
	for _, step := range steps {
		if got, _ := in.decide(); got != step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
		step.remedy()
	}
}

func TestRenewRequestIDFitsTheStatus(t *testing.T) {
	for _, n := range []int{0, 1, 256, 257, 100000} {
		value := strings.Repeat("x", n)
		id := RenewRequestID(value)
		if len(id) > 256 || n <= 256 && id != value {
			t.Errorf("%d characters became %q", n, id)
		}
	}
	if RenewRequestID(longRequest) == RenewRequestID(longRequest+"y") {
		t.Error("two requests have the same identity")
	}
}
