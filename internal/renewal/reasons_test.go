// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"strings"
	"testing"
	"time"
)

// healthy is an identity with a certificate of a day that was issued an hour ago.
func healthy(change func(*Input)) Input {
	v := issued(asked, day)
	in := Input{Now: asked.Add(time.Hour), Published: &Published{Validity: v}, RenewalTime: At(v, Policy{}, "uid")}
	if change != nil {
		change(&in)
	}
	return in
}

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		given   func(*Input)
		want    Reason
		message string
	}{
		"does nothing for a healthy certificate": {},
		"issues the first one":                   {given: func(in *Input) { *in = Input{Now: asked} }, want: SecretMissing, message: "No usable credential is published"},
		"issues again where the Secret is damaged": {
			given: func(in *Input) { in.Published.ContentProblem = "tls.key does not belong to tls.crt" },
			want:  SecretDamaged, message: "The published credential is damaged: tls.key does not belong to tls.crt"},
		"issues again where the request changed": {
			given: func(in *Input) { in.RequestChanged = true },
			want:  RequestChanged, message: "The spec asks for another certificate than the published one"},
		"issues again at the very end of the certificate": {
			given: func(in *Input) { in.Now = in.Published.NotAfter },
			want:  Expired, message: "The certificate expired at 2026-12-02T07:55:00Z"},
		"issues again after its end although that is where the CA ends": {
			given: func(in *Input) { in.Now, in.Capped = asked.Add(2*day), true },
			want:  Expired, message: "The certificate expired at 2026-12-02T07:55:00Z"},
		"issues a shorter one where access ends earlier": {
			given: func(in *Input) { in.AccessUntil = ptr(asked.Add(12 * time.Hour)) },
			want:  AccessEndsEarlier, message: "The certificate is valid until 2026-12-02T07:55:00Z, which is after accessUntil, 2026-12-01T20:00:00Z"},
		"does nothing where access ends with the certificate": {given: func(in *Input) { in.AccessUntil = &in.Published.NotAfter }},
		"issues again where the issuer is no longer trusted": {
			given: func(in *Input) { in.Untrusted = true },
			want:  Untrusted, message: "The API server no longer accepts the issuer of the certificate"},
		"issues again on request": {
			given: func(in *Input) { in.RenewRequest = "now" },
			want:  RenewRequested, message: "A renewal was requested with the annotation clientidentity.dev/renew-requested-at"},
		"issues on request although that buys no time": {given: func(in *Input) { in.RenewRequest, in.Capped = "now", true }, want: RenewRequested,
			message: "A renewal was requested with the annotation clientidentity.dev/renew-requested-at"},
		"handles a request once": {given: func(in *Input) { in.RenewRequest, in.LastHandledRenewRequest = "now", "now" }},
		"handles a request of any length once": {given: func(in *Input) {
			in.RenewRequest = longRequest
			in.LastHandledRenewRequest = RenewRequestID(longRequest)
		}},
		"takes a removed annotation for none":     {given: func(in *Input) { in.LastHandledRenewRequest = "now" }},
		"does nothing before the renewal time":    {given: func(in *Input) { in.Now = in.RenewalTime.Add(-1) }},
		"does nothing where none is planned":      {given: func(in *Input) { in.RenewalTime = time.Time{} }},
		"does nothing where it would buy no time": {given: func(in *Input) { in.Now, in.Capped = in.RenewalTime, true }},
		"renews when the renewal time has come": {
			given: func(in *Input) { in.Now = in.RenewalTime },
			want:  RenewalDue, message: "The certificate is due for renewal since 2026-12-01T23:51:56Z and valid until 2026-12-02T07:55:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := healthy(test.given)
			reason, message := Decide(in)
			if reason != test.want || message != test.message {
				t.Errorf("got %q, %q; want %q, %q", reason, message, test.want, test.message)
			}
			if reason == "" {
				return
			}
			in.Now = in.Now.Add(17 * time.Second)
			if _, later := Decide(in); later != message {
				t.Errorf("the message changes with the time: %q, then %q", message, later)
			}
		})
	}
}

var longRequest = strings.Repeat("x", 1000)

func TestDecideTakesTheFirstReason(t *testing.T) {
	in := healthy(func(in *Input) {
		in.Now = asked.Add(2 * day)
		in.Published.ContentProblem = "no key"
		in.RequestChanged, in.Untrusted = true, true
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
		{RequestChanged, func() { in.RequestChanged = false }},
		{Expired, func() { in.Now = in.Published.NotAfter.Add(-1) }},
		{AccessEndsEarlier, func() { in.AccessUntil = nil }},
		{Untrusted, func() { in.Untrusted = false }},
		{RenewRequested, func() { in.RenewRequest = "" }},
		{RenewalDue, func() { in.Capped = true }},
		{"", func() {}},
	}
	for _, step := range steps {
		if got, _ := Decide(in); got != step.want {
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
