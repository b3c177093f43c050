// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

const root = "../../.."

func TestWhatIsShippedAsksForWhatExists(t *testing.T) {
	problems, checked, err := checkAll(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
	if checked < 30 {
		t.Errorf("only %d queries were found", checked)
	}
}

func TestWhatDoesNotExistIsFound(t *testing.T) {
	known, err := readReference(root)
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		`clientidentity_nothing > 0`: `no metric "clientidentity_nothing"`,
		`up == 0`:                    `no metric "up"`,
		`rate(clientidentity_issuance_duration_seconds[5m])`:                                           `no metric`,
		`clientidentity_state{status="Ready"}`:                                                         `no label "status"`,
		`clientidentity_state{state="Broken"}`:                                                         `never has state="Broken"`,
		`clientidentity_state{state=~"Ready|Broken"}`:                                                  `never has state="Broken"`,
		`clientidentity_condition{reason="Typo"}`:                                                      `never has reason="Typo"`,
		`clientidentity_condition{condition="Typo"}`:                                                   `never has condition="Typo"`,
		`clientidentity_admission_decisions_total{result="Refused"}`:                                   `never has result="Refused"`,
		`leader_election_master_status{name="client-identity"}`:                                        `never has name="client-identity"`,
		`max by (username) (clientidentity_state)`:                                                     `nothing has the label "username"`,
		`clientidentity_state unless on (user) clientidentity_bound_bindings`:                          `nothing has the label "user"`,
		`sum by (le) (rate(clientidentity_renewal_delay_seconds_sum[5m]))`:                             `nothing has the label "le"`,
		`max by (identity (clientidentity_state)`:                                                      `parse error`,
		`max by (cluster, identity) (clientidentity_condition{condition="Ready",reason="Ready"})`:      "",
		`histogram_quantile(0.9, sum by (le) (rate(clientidentity_renewal_delay_seconds_bucket[5m])))`: "",
		`sum(workqueue_depth{controller="clientidentity",namespace="x"})`:                              "",
	} {
		problems := strings.Join(known.check(expression), "; ")
		if (want == "") != (problems == "") || !strings.Contains(problems, want) {
			t.Errorf("%s: got %q, want %q", expression, problems, want)
		}
	}
}
