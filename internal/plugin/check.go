// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
)

// Result is what came of a check.
type Result string

// What comes of checks.
const (
	Passed  Result = "OK"
	Failed  Result = "FAIL"
	Skipped Result = "SKIP" // it could not be made, and another one shows the same
)

// Check is one thing that was looked at.
type Check struct {
	Name    string
	Result  Result
	Message string
	// Advice is what to do, in lines.
	Advice []string
}

func passed(name, message string) Check { return Check{Name: name, Result: Passed, Message: message} }

func failed(name, message string, advice ...string) Check {
	return Check{Name: name, Result: Failed, Message: message, Advice: advice}
}

// unreadable returns a check that failed, since something could not be read: with how to get the permission, where that is why.
func unreadable(name string, err error) Check {
	check := failed(name, err.Error())
	if missing, ok := MissingPermission(err); ok {
		check.Message = "missing permission of user " + missing.User + ": " + missing.String()
		check.Advice = append([]string{"An administrator grants it with:"}, strings.Split(strings.ReplaceAll(missing.Grant(), "  kubectl", "kubectl"), "\n")...)
	}
	return check
}

// skipped returns the check as one that counts for nothing: another one shows the same.
func (c Check) skipped() Check {
	c.Result = Skipped
	return c
}

// style is how a result looks.
func (r Result) style() Style {
	switch r {
	case Passed:
		return Good
	case Failed:
		return Bad
	}
	return Faint
}

// PrintChecks prints a line for each check, and what to do below those that failed.
func (p *Printer) PrintChecks(checks []Check) {
	var rows [][]Cell
	for _, c := range checks {
		rows = append(rows, []Cell{{Text: string(c.Result), Style: c.Result.style()}, {Text: c.Name}, {Text: c.Message}})
		for _, line := range c.Advice {
			rows = append(rows, []Cell{{}, {}, {Text: "-> " + line}})
		}
	}
	p.Table(nil, rows)
}

// count returns how many checks have a result.
func count(checks []Check, result Result) int {
	n := 0
	for i := range checks {
		if checks[i].Result == result {
			n++
		}
	}
	return n
}
