// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"
)

func TestPreflightSaysWhatIsWrong(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":              {[]string{"--trise=1"}, "see manager preflight --help"},
		"an argument":                  {[]string{"now"}, `unexpected argument "now"`},
		"no tries":                     {[]string{"--tries=0"}, "--tries 0 must be at least 1"},
		"no cluster":                   {nil, "set --kubeconfig or --context"},
		"a file that is no kubeconfig": {[]string{"--kubeconfig=preflight.go"}, "find the cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, problems bytes.Buffer
			if err := runPreflight(t.Context(), test.args, &out, &problems); err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 {
				t.Errorf("%v, want %q; prints %q", err, test.want, out.String())
			}
		})
	}
	var out bytes.Buffer
	if err := runPreflight(t.Context(), []string{"--help"}, &out, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-require-denial") {
		t.Errorf("help: %v\n%s", err, out.String())
	}
}
