// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	alertName    = regexp.MustCompile(`(?m)^\s+- alert: (\S+)$`)
	runbookTitle = regexp.MustCompile(`(?m)^## (.+)$`)
)

// runbookParts are what each runbook says.
var runbookParts = []string{"**What it means.**", "**What users notice.**", "**What to look at.**", "**What to do.**"}

func TestEachAlertHasARunbook(t *testing.T) {
	var alerts []string
	for _, match := range alertName.FindAllStringSubmatch(read(t, "config/prometheus/prometheus_rule.yaml"), -1) {
		alerts = append(alerts, match[1])
	}
	if len(alerts) == 0 {
		t.Fatal("no alerts found: have they moved?")
	}
	runbooks := read(t, "docs/runbooks.md")
	var titles []string
	for _, match := range runbookTitle.FindAllStringSubmatch(runbooks, -1) {
		titles = append(titles, match[1])
	}
	if !slices.Equal(titles, alerts) {
		t.Errorf("docs/runbooks.md has the sections %v, want one for each alert, in their order: %v", titles, alerts)
	}
	for _, runbook := range strings.Split(runbooks, "\n## ")[1:] {
		title, body, _ := strings.Cut(runbook, "\n")
		for _, part := range runbookParts {
			if strings.Count(body, part) != 1 {
				t.Errorf("%s needs one %s", title, part)
			}
		}
	}
}
