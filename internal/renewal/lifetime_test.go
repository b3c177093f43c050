// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"math"
	"math/bits"
	"slices"
	"testing"
	"time"
)

func TestRequestTTL(t *testing.T) {
	in := func(d time.Duration) *time.Time { end := asked.Add(d); return &end }
	tests := map[string]struct {
		ttl, max time.Duration
		until    *time.Time
		want     time.Duration // 0 = nothing is requested
	}{
		"asks for the ttl": {ttl: 90 * day, want: 90 * day},
		"asks for no more than the operator's maximum":       {ttl: 90 * day, max: day, want: day},
		"ignores a maximum above the ttl":                    {ttl: day, max: 90 * day, want: day},
		"leaves a minute for the signing before accessUntil": {ttl: day, until: in(time.Hour), want: 59 * time.Minute},
		"asks for the ttl where accessUntil is far":          {ttl: time.Hour, until: in(day), want: time.Hour},
		"leaves no more than what fits above ten minutes":    {ttl: day, until: in(10*time.Minute + 30*time.Second), want: 10 * time.Minute},
		"leaves exactly ten minutes where eleven remain":     {ttl: day, until: in(11 * time.Minute), want: 10 * time.Minute},
		"leaves a minute where more than eleven remain":      {ttl: day, until: in(11*time.Minute + time.Second), want: 10*time.Minute + time.Second},
		"asks for ten minutes when exactly ten remain":       {ttl: day, until: in(10 * time.Minute), want: 10 * time.Minute},
		"asks for nothing in the last ten minutes":           {ttl: day, until: in(10*time.Minute - 1)},
		"asks for nothing after accessUntil":                 {ttl: day, until: in(-time.Hour)},
		"asks for whole seconds":                             {ttl: time.Hour + 999*time.Millisecond, want: time.Hour},
		"asks for whole seconds before accessUntil":          {ttl: day, until: in(time.Hour + time.Second/2), want: 59 * time.Minute},
		"asks for at least ten minutes":                      {ttl: time.Minute, want: 10 * time.Minute},
		"asks for at least ten minutes whatever the maximum": {ttl: time.Hour, max: time.Minute, want: 10 * time.Minute},
		"asks for no more seconds than an int32 holds":       {ttl: math.MaxInt64, want: math.MaxInt32 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := RequestTTL(test.ttl, test.max, test.until, asked)
			if got != test.want || ok != (test.want > 0) {
				t.Errorf("got %s, %t; want %s", got, ok, test.want)
			}
		})
	}
	farAway := asked.AddDate(5000, 0, 0)
	if got, ok := RequestTTL(day, 0, &farAway, asked); got != day || !ok {
		t.Errorf("got %s, %t before an accessUntil in 5000 years; want %s", got, ok, day)
	}
}

func TestCapped(t *testing.T) {
	hour := issued(asked, time.Hour)
	// cut is what a signer issues for an hour when its CA ends at the given time.
	cut := func(at, caEnd time.Time) Validity {
		v := issued(at, time.Hour)
		v.NotAfter = caEnd
		return v
	}
	unknown := func(v Validity) Validity { v.RequestTime, v.Requested = time.Time{}, 0; return v }
	end := func(d time.Duration) *time.Time { e := hour.NotAfter.Add(d); return &e }
	caEnd := asked.Add(30 * time.Minute)
	first := cut(asked, caEnd)
	shorter := issued(asked.Add(30*time.Minute), 30*time.Minute)

	tests := map[string]struct {
		current  Validity
		previous *Validity
		until    *time.Time
		want     bool
	}{
		"is not capped where nothing ends":                                    {current: hour},
		"is capped where it ends at accessUntil":                              {current: hour, until: end(0), want: true},
		"is capped where it ends after accessUntil":                           {current: hour, until: end(-time.Hour), want: true},
		"is capped where it ends two minutes before accessUntil":              {current: hour, until: end(2 * time.Minute), want: true},
		"is not capped where it ends earlier than that":                       {current: hour, until: end(2*time.Minute + time.Second)},
		"is not capped by a CA's end that only one certificate shows":         {current: first},
		"is capped where two in a row end together":                           {current: cut(asked.Add(20*time.Minute), caEnd), previous: &first, want: true},
		"is capped where they end a second apart":                             {current: cut(asked.Add(20*time.Minute), caEnd.Add(time.Second)), previous: &first, want: true},
		"is not capped where they end two seconds apart":                      {current: cut(asked.Add(20*time.Minute), caEnd.Add(2*time.Second)), previous: &first},
		"is not capped where both were cut within the same minute":            {current: cut(asked.Add(59*time.Second), caEnd), previous: &first},
		"is capped where they were cut a minute apart":                        {current: cut(asked.Add(time.Minute), caEnd), previous: &first, want: true},
		"is capped where only the certificates are known":                     {current: unknown(cut(asked.Add(20*time.Minute), caEnd)), previous: ptr(unknown(first)), want: true},
		"is not capped where one issuance is not known and both were at once": {current: cut(asked, caEnd), previous: ptr(unknown(first))},
		"is not capped where a shorter ttl happens to end with the last one":  {current: shorter, previous: &hour},
		"is not capped where it is longer than the previous one":              {current: issued(asked.Add(40*time.Minute), time.Hour), previous: &hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ScheduleOf(Input{AccessUntil: test.until}, test.current, test.previous, "uid")
			if got.Capped != test.want {
				t.Errorf("got %t, want %t", got.Capped, test.want)
			}
			if regular := At(test.current, Policy{}, "uid"); !test.want && !got.RenewalTime.Equal(regular) {
				t.Errorf("is renewed at %s, want %s", got.RenewalTime, regular)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// A signer whose CA ends tomorrow must see a handful of requests, not a storm.
func TestAnEndingCAGetsFewRequests(t *testing.T) {
	for _, lifetime := range []time.Duration{10 * time.Minute, time.Hour, 8 * time.Hour, year} {
		caEnd := asked.Add(day)
		var current, previous *Validity
		requests, tries := 0, 0
		for now := asked; !now.IsZero() && now.Before(caEnd); requests++ {
			v := issued(now, lifetime)
			if v.NotAfter.After(caEnd) {
				v.NotAfter = caEnd
			}
			current, previous = &v, current
			schedule := ScheduleOf(Input{}, *current, previous, "uid")
			if schedule.Capped {
				tries++
			}
			now = schedule.RenewalTime
		}
		regular := int(day/(lifetime*2/3)) + 1
		if most := regular + regular/9 + 4; requests-tries > most {
			t.Errorf("%s certificates: %d requests, want at most %d", lifetime, requests-tries, most)
		}
		// A third of the last lifetime is left at first, and each try leaves half of it.
		if most := bits.Len(uint(min(lifetime, day) / 3 / time.Minute)); tries > most {
			t.Errorf("%s certificates: %d tries whether the CA was replaced, want at most %d", lifetime, tries, most)
		}
		if current.Lifetime() >= 2*time.Minute {
			t.Errorf("%s certificates: nothing is tried any more %s before the end", lifetime, current.Lifetime())
		}
	}
}

// The operator learns from nobody that the only identity of a signer could have a certificate of another CA by now.
func TestACappedCertificateIsTriedAtHalfOfWhatIsLeftUntilNothingIsGained(t *testing.T) {
	caEnd := asked.Add(15 * time.Hour)
	cut := func(at time.Time) Validity {
		return Validity{NotBefore: at.Add(-backdate), NotAfter: caEnd, RequestTime: at, Requested: day}
	}
	previous := cut(asked.Add(-time.Hour))
	var left []time.Duration
	for at := asked; !at.IsZero(); {
		current := cut(at)
		schedule := ScheduleOf(Input{}, current, &previous, "uid")
		if !schedule.Capped {
			t.Fatalf("the one of %s is not capped", at)
		}
		if !schedule.RenewalTime.IsZero() {
			left = append(left, caEnd.Sub(schedule.RenewalTime))
		}
		at, previous = schedule.RenewalTime, current
	}
	want := []time.Duration{
		7*time.Hour + 30*time.Minute, 3*time.Hour + 45*time.Minute, time.Hour + 52*time.Minute + 30*time.Second, 56*time.Minute + 15*time.Second,
		28*time.Minute + 8*time.Second, 14*time.Minute + 4*time.Second, 7*time.Minute + 2*time.Second, 3*time.Minute + 31*time.Second, time.Minute + 46*time.Second,
	}
	if !slices.Equal(left, want) {
		t.Errorf("tries with %s left, want %s", left, want)
	}
}

func TestACappedCertificateIsRenewedOnceTheSignerUsesAnotherCA(t *testing.T) {
	caEnd, seen := asked.Add(15*time.Hour), asked.Add(20*time.Minute)
	current := Validity{NotBefore: asked.Add(-backdate), NotAfter: caEnd, RequestTime: asked, Requested: day}
	previous := Validity{NotBefore: asked.Add(-time.Hour), NotAfter: caEnd, RequestTime: asked.Add(-time.Hour), Requested: day}
	for name, test := range map[string]struct {
		given Input
		want  Schedule
	}{
		"tries at half where it is not known to": {Input{}, Schedule{RenewalTime: asked.Add(7*time.Hour + 30*time.Minute), Capped: true}},
		"renews in its turn where it is":         {Input{Issuer: Issuer{SupersededAt: seen}}, Schedule{RenewalTime: seen}},
		"never outlives accessUntil all the same": {Input{Issuer: Issuer{SupersededAt: seen}, AccessUntil: &caEnd},
			Schedule{Capped: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ScheduleOf(test.given, current, &previous, "uid"); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	regular := issued(asked, day)
	if got, want := ScheduleOf(Input{Issuer: Issuer{SupersededAt: seen}}, regular, nil, "uid"), (Schedule{RenewalTime: At(regular, Policy{}, "uid")}); got != want {
		t.Errorf("one that no CA cut off is renewed at %s, want %s", got.RenewalTime, want.RenewalTime)
	}
}
