// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkRow is a row of the table of checks.
var checkRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|")

func TestOperationsExplainEachCheckInItsOrder(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(guide), "\n## Preflight\n")
	if !found {
		t.Fatal("docs/operations.md has no section about preflight")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var explained, checks []string
	for _, match := range checkRow.FindAllStringSubmatch(section, -1) {
		explained = append(explained, match[1])
	}
	for _, c := range (&probe{}).checks() {
		checks = append(checks, c.name)
	}
	if diff := cmp.Diff(checks, explained); diff != "" {
		t.Errorf("the checks (-) and what docs/operations.md explains (+):\n%s", diff)
	}
}
