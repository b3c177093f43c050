// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"encoding/json"
	"fmt"
	"io"
)

// PrintFinding prints one finding for people: a line, its details, and what to do.
func PrintFinding(out io.Writer, f Finding) {
	fmt.Fprintf(out, "%-6s%-27s%s\n", f.Result, f.Name, f.Message)
	for _, detail := range f.Details {
		fmt.Fprintf(out, "%33s- %s\n", "", detail)
	}
	if f.Fix != "" {
		fmt.Fprintf(out, "%33s-> %s\n", "", f.Fix)
	}
}

// PrintJSON prints a report for programs.
func PrintJSON(out io.Writer, report *Report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(report)
}
