// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"math"
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
	unknown := func(v Validity) Validity { v.IssuedAt, v.Requested = time.Time{}, 0; return v }
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
			if got := Capped(test.current, test.previous, test.until); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
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
		now, requests := asked, 0
		for now.Before(caEnd) {
			v := issued(now, lifetime)
			if v.NotAfter.After(caEnd) {
				v.NotAfter = caEnd
			}
			current, previous = &v, current
			requests++
			if Capped(*current, previous, nil) {
				break
			}
			now = At(v, Policy{}, "uid")
		}
		regular := int(day/(lifetime*2/3)) + 1
		if most := regular + regular/9 + 4; requests > most {
			t.Errorf("%s certificates: %d requests, want at most %d", lifetime, requests, most)
		}
	}
}
