// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"fmt"
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	day      = 24 * time.Hour
	year     = 365 * day
	backdate = 5 * time.Minute
)

// asked is when the certificates of these tests were asked for.
var asked = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

// issued is what the built-in signer issues for a lifetime when it is asked at a time: below eight hours
// the lifetime counts from the signing, from there on it counts from notBefore.
func issued(at time.Time, lifetime time.Duration) Validity {
	v := Validity{NotBefore: at.Add(-backdate), NotAfter: at.Add(lifetime), RequestTime: at, Requested: lifetime}
	if lifetime >= 8*time.Hour {
		v.NotAfter = v.NotBefore.Add(lifetime)
	}
	return v
}

func TestAt(t *testing.T) {
	unknownStart := issued(asked, time.Hour)
	unknownStart.RequestTime = time.Time{}
	startBefore := issued(asked, time.Hour)
	startBefore.RequestTime = asked.Add(-time.Hour)
	startAfter := issued(asked, time.Hour)
	startAfter.RequestTime = asked.Add(2 * time.Hour)
	fraction := issued(asked, 10*time.Minute)
	fraction.RequestTime = asked.Add(999 * time.Millisecond)
	shortened := issued(asked, year)
	shortened.Requested = 2 * year

	tests := map[string]struct {
		given             Validity
		policy            Policy
		earliest, latest  time.Duration // after asked
		earliestExclusive bool
	}{
		"renews when two thirds of the lifetime have passed, less the jitter":              {given: issued(asked, 6*time.Hour), earliest: 4*time.Hour - 12*time.Minute, latest: 4 * time.Hour},
		"renews a 10-minute certificate by what is left of it, not by its backdated start": {given: issued(asked, 10*time.Minute), earliest: 380 * time.Second, latest: 400 * time.Second},
		"renews the given time before the end":                                             {given: issued(asked, time.Hour), policy: Policy{Before: 20 * time.Minute}, earliest: 38 * time.Minute, latest: 40 * time.Minute},
		"renews when the given percentage is left":                                         {given: issued(asked, time.Hour), policy: Policy{Percentage: 50}, earliest: 27 * time.Minute, latest: 30 * time.Minute},
		"renews at 90 percent of the longest lifetime there is without overflowing":        {given: Validity{NotBefore: asked, NotAfter: asked.Add(math.MaxInt64)}, policy: Policy{Percentage: 90}, latest: math.MaxInt64 / 10},
		"takes the time before the end where both are given":                               {given: issued(asked, time.Hour), policy: Policy{Before: 20 * time.Minute, Percentage: 90}, earliest: 38 * time.Minute, latest: 40 * time.Minute},
		"renews 9m50s of 10m after 5 to 10 seconds, never earlier":                         {given: issued(asked, 10*time.Minute), policy: Policy{Before: 590 * time.Second}, earliest: 5 * time.Second, latest: 10 * time.Second, earliestExclusive: true},
		"renews 9m50s of 10m so although it was asked within a second":                     {given: fraction, policy: Policy{Before: 590 * time.Second}, earliest: 5 * time.Second, latest: 10 * time.Second, earliestExclusive: true},
		"falls back to a third where 9m51s of 10m are asked":                               {given: issued(asked, 10*time.Minute), policy: Policy{Before: 591 * time.Second}, earliest: 380 * time.Second, latest: 400 * time.Second},
		"falls back to a third where it is renewed before it begins":                       {given: issued(asked, time.Hour), policy: Policy{Before: 720 * time.Hour}, earliest: 38 * time.Minute, latest: 40 * time.Minute},
		"falls back to a third where the time before the end is the lifetime":              {given: issued(asked, time.Hour), policy: Policy{Before: time.Hour}, earliest: 38 * time.Minute, latest: 40 * time.Minute},
		"counts from the year that was issued where two were asked":                        {given: shortened, earliest: year*2/3 - year/30 - backdate, latest: year * 2 / 3},
		"renews half a second before the end a second before it":                           {given: issued(asked, time.Hour), policy: Policy{Before: time.Second / 2}, earliest: time.Hour - time.Second, latest: time.Hour - time.Second},
		"counts from notBefore where the issuance is not known":                            {given: unknownStart, earliest: -5*time.Minute + 65*time.Minute*2/3 - 131*time.Second, latest: -5*time.Minute + 65*time.Minute*2/3},
		"counts from notBefore where the issuance is before it":                            {given: startBefore, earliest: -5*time.Minute + 65*time.Minute*2/3 - 131*time.Second, latest: -5*time.Minute + 65*time.Minute*2/3},
		"counts from notBefore where the issuance is after the end":                        {given: startAfter, earliest: -5*time.Minute + 65*time.Minute*2/3 - 131*time.Second, latest: -5*time.Minute + 65*time.Minute*2/3},
		"renews a certificate of a second within it":                                       {given: Validity{NotBefore: asked, NotAfter: asked.Add(time.Second)}, latest: time.Second},
		"takes the end of one that was never valid":                                        {given: Validity{NotBefore: asked, NotAfter: asked.Add(-time.Minute)}, earliest: -time.Minute, latest: -time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for i := range 200 {
				seed := fmt.Sprintf("uid-%d", i)
				got := At(test.given, test.policy, seed)
				after := got.Sub(asked)
				if after < test.earliest || after > test.latest || test.earliestExclusive && after == test.earliest {
					t.Fatalf("renews %s after it was asked for, want %s to %s", after, test.earliest, test.latest)
				}
				if got.Nanosecond() != 0 {
					t.Fatalf("%s is not in whole seconds", got)
				}
			}
		})
	}
}

func TestAtIsTheSameAfterARestart(t *testing.T) {
	inMemory := issued(asked.Add(123456789*time.Nanosecond), 10*time.Minute)
	inMemory.NotBefore, inMemory.NotAfter = asked.Add(-backdate), asked.Add(10*time.Minute)
	stored := inMemory
	stored.RequestTime = stored.RequestTime.Truncate(time.Second).In(time.FixedZone("", 3600))

	want := At(inMemory, Policy{}, "uid-serial")
	if got := At(stored, Policy{}, "uid-serial"); !got.Equal(want) {
		t.Errorf("renews at %s, but at %s after a restart", want, got)
	}
	if fixed := time.Date(2026, 12, 1, 8, 6, 38, 0, time.UTC); !want.Equal(fixed) {
		t.Errorf("renews at %s, want %s: another hash would move every renewal of a fleet", want, fixed)
	}
}

func TestAtSpreadsAFleet(t *testing.T) {
	for _, policy := range []Policy{{}, {Before: 720 * time.Hour}, {Percentage: 90}} {
		v := issued(asked, 90*day)
		before := policy.renewBefore(v.Lifetime())
		window := min(before/10, (v.Lifetime()-before)/2)
		var tenths [10]int
		for i := range 1000 {
			early := v.NotAfter.Add(-before).Sub(At(v, policy, fmt.Sprintf("uid-%04d", i)))
			if early < 0 || early >= window {
				t.Fatalf("%+v: jitter %s is not in [0, %s)", policy, early, window)
			}
			tenths[early*10/window]++
		}
		for i, n := range tenths {
			if n < 50 {
				t.Errorf("%+v: %d of 1000 renew in tenth %d of the window, want about 100: %v", policy, n, i, tenths)
			}
		}
	}
}

func TestPolicyOf(t *testing.T) {
	half := int32(50)
	spec := &v1alpha1.ClientIdentitySpec{RenewBefore: &metav1.Duration{Duration: time.Hour}, RenewBeforePercentage: &half}
	if got, want := PolicyOf(spec), (Policy{Before: time.Hour, Percentage: 50}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := PolicyOf(&v1alpha1.ClientIdentitySpec{}); got != (Policy{}) {
		t.Errorf("got %+v of an empty spec, want the default", got)
	}
}
