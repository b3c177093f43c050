// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"os"
	"strings"
	"testing"
)

func TestOperationsGuideNamesEveryFlag(t *testing.T) {
	const path = "../../docs/operations.md"
	guide, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options := DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	options.BindFlags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		if !strings.Contains(string(guide), "| `--"+f.Name+"` |") {
			t.Errorf("docs/operations.md has no row for the flag --%s", f.Name)
		}
	})
}
