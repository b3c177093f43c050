// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"regexp"
	"strings"
	"sync"

	"github.com/clientidentity/operator/docs"
)

// advice returns what to do about a reason, and whether that is something: the words are those of the guide, which has all reasons.
func advice(reason string) (text string, needed bool) {
	text = troubleshooting()[reason]
	return text, text != "" && !strings.HasPrefix(text, "Nothing")
}

var troubleshooting = sync.OnceValue(func() map[string]string { return adviceOf(docs.Troubleshooting) })

var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// adviceOf returns the last column of the tables of a guide whose first column is a reason.
func adviceOf(guide string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(guide) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || !strings.HasPrefix(cells[0], " `") {
			continue
		}
		reason := strings.Trim(cells[0], " `")
		if all[reason] != "" {
			continue // its first row is about the condition on which it appears first
		}
		all[reason] = strings.TrimSpace(strings.ReplaceAll(link.ReplaceAllString(cells[2], "$1"), "`", ""))
	}
	return all
}
