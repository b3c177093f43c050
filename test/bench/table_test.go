// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/clientidentity/operator/test/bench/result"
)

// measured returns a measurement of the issue.
func measured(subject result.Subject, round int, perSecond float64) result.Measurement {
	return result.Measurement{
		Phase: result.Issue, Subject: subject, Identities: 1000, Round: round, Seconds: 1000 / perSecond, PerSecond: perSecond,
		Latency:  &result.Latency{P50: 100, P99: 200, Max: 300},
		Requests: map[string]float64{"create secrets": 1, "update leases": 0.001}, CPU: map[string]float64{"kube-apiserver": 18.5},
		Curve: []result.Point{{Identities: 500, PerSecond: 90}, {Identities: 1000, PerSecond: perSecond}},
	}
}

func TestRatiosAreThoseOfTheSameRound(t *testing.T) {
	all := []result.Measurement{
		measured(result.Bare, 1, 200), measured(result.Operator, 1, 100), measured(result.Operator, 2, 150), measured(result.Bare, 2, 100),
		{Phase: result.Groups, Subject: result.Operator, Round: 1, PerSecond: 10},                                        // the bare client does not do that
		{Phase: result.Quiet, Subject: result.Operator, Round: 1}, {Phase: result.Quiet, Subject: result.Bare, Round: 1}, // nobody does anything
	}
	setRatios(all)
	for i, want := range []float64{0, 0.5, 1.5, 0, 0, 0, 0} {
		if all[i].Ratio != want {
			t.Errorf("the ratio of the measurement %d is %v", i, all[i].Ratio)
		}
	}
}

func TestATableHasTheMediansOfTheRounds(t *testing.T) {
	d := &result.Document{Settings: result.Settings{Identities: 1000, Workers: 16, Namespaces: 13, Bindings: 1, Rounds: 3}}
	for round, speed := range []float64{80, 100, 150} {
		d.Phases = append(d.Phases, measured(result.Bare, round+1, 100), measured(result.Operator, round+1, speed))
	}
	setRatios(d.Phases)
	got := table(d)
	for _, want := range []string{
		"1000 identities, 16 at a time, 1 role bindings each in 13 namespaces, 3 rounds (medians)",
		"issue operator 10.0 100 1.00 (0.80-1.50) 100 200 300 1.0 18.5",
		"issue bare 10.0 100 100 200 300 1.0 18.5",
		"issue, operator: create secrets 1.00",
		"a second, by tenths: 90 100",
	} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "leases") || strings.Index(got, "operator  ") > strings.Index(got, "bare  ") {
		t.Errorf("got\n%s", got)
	}
}

func TestAListNamesWhatItDoesNotKnow(t *testing.T) {
	chosen := []result.Phase{result.Issue, result.Renew}
	set := choose(&chosen, chosen)
	if err := set("renew"); err != nil || len(chosen) != 1 || chosen[0] != result.Renew {
		t.Errorf("%v (%v)", chosen, err)
	}
	if err := set("renew,nothing"); err == nil || !strings.Contains(err.Error(), `"nothing" is none of issue,renew`) {
		t.Errorf("the error is %v", err)
	}
}
