// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"strings"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestJudgement(t *testing.T) {
	const api, bindings = v1alpha1.ReachAPIServer, v1alpha1.ReachBindings
	for name, test := range map[string]struct {
		// rounds: d for one that was denied, l for one with a leak, - for one without an answer.
		rounds string
		want   v1alpha1.RevocationReach
	}{
		"nothing yet":                             {"", reachUnknown},
		"denied at once":                          {"d", api},
		"its own endpoint is not up yet":          {"llllld", api},
		"its own endpoint is up by now":           {"llllldd", api},
		"one of several is asked at the start":    {"lllldldll", bindings},
		"nobody denies":                           {strings.Repeat("l", startRounds), bindings},
		"too early to say that":                   {strings.Repeat("l", startRounds-1), reachUnknown},
		"one leak of a rolling update":            {"dddld", api},
		"two leaks, far apart":                    {"dlddddl", api},
		"two leaks":                               {"dldl", bindings},
		"it was turned off":                       {"dddll", bindings},
		"on again":                                {"ddddll" + "ddddd", api},
		"not on for long enough":                  {"ddddll" + "dddd", bindings},
		"one of several API servers does not ask": {"dldlddlldl", bindings},
		"no answer for a moment":                  {"ddd---", api},
		"no answer for long":                      {"ddd" + strings.Repeat("-", silence), bindings},
		"an answer again":                         {"ddd" + strings.Repeat("-", silence) + "d", bindings},
		"answers again":                           {"ddd" + strings.Repeat("-", silence) + "ddddd", api},
		"silence, broken by an answer":            {"ddd" + strings.Repeat("-", silence-1) + "d" + strings.Repeat("-", silence-1), api},
		"turned on while nobody answered":         {strings.Repeat("l", startRounds) + strings.Repeat("-", silence) + "ddddd", api},
	} {
		t.Run(name, func(t *testing.T) {
			var j judgement
			for _, round := range test.rounds {
				switch round {
				case 'd':
					j.round(false)
				case 'l':
					j.round(true)
				default:
					j.unanswered()
				}
			}
			if j.reach != test.want || len(j.leaked) > startRounds {
				t.Errorf("%+v, want %q", j, test.want)
			}
		})
	}
}
