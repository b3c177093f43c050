// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clientidentity/operator/internal/manager"
)

var (
	// call is a call of a subcommand, to the end of its line.
	call = regexp.MustCompile(`manager (preflight|authorization-config)([^\n` + "`" + `|]*)`)
	// flagName is a flag in a text.
	flagName = regexp.MustCompile(`(?:^|[\s` + "`" + `(])(--?[a-z][a-z-]*)`)
)

// flagsOf returns the names of flags.
func flagsOf(bind ...func(*flag.FlagSet)) []string {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	for _, b := range bind {
		b(flags)
	}
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

func guides(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../docs/*.md", "../docs/guides/*.md", "../README.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no guides at %s: %v", pattern, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(content)
		}
	}
	return texts
}

func TestGuidesCallSubcommandsWithFlagsThatTheyHave(t *testing.T) {
	known := map[string][]string{
		"preflight":            flagsOf((&preflightOptions{}).bindFlags),
		"authorization-config": flagsOf((&authorizationConfigOptions{}).bindFlags),
	}
	seen := map[string]int{}
	for path, text := range guides(t) {
		for _, match := range call.FindAllStringSubmatch(text, -1) {
			arguments, _, _ := strings.Cut(match[2], "#")
			for _, name := range flagName.FindAllStringSubmatch(arguments, -1) {
				seen[match[1]]++
				if name := strings.TrimLeft(name[1], "-"); name != "help" && !slices.Contains(known[match[1]], name) {
					t.Errorf("%s: %s has no flag --%s", path, match[0], name)
				}
			}
		}
	}
	if len(seen) != len(known) {
		t.Errorf("flags are given to %v only: do the guides call them in another way?", slices.Collect(maps.Keys(seen)))
	}
}

// kubernetesFlags are those of Kubernetes' own programs, and of others, that docs/clusters.md speaks of.
var kubernetesFlags = []string{"cluster-signing-cert-file", "cluster-signing-duration", "client-ca-file", "authorization-mode", "config", "minify", "nodes", "patch"}

func TestTheGuideToClustersNamesFlagsThatExist(t *testing.T) {
	options := manager.DefaultOptions()
	known := slices.Concat(kubernetesFlags, flagsOf(options.BindFlags), flagsOf((&preflightOptions{}).bindFlags))
	names := flagName.FindAllStringSubmatch(guides(t)["../docs/clusters.md"], -1)
	if len(names) < 10 {
		t.Fatalf("only %d flags found in docs/clusters.md", len(names))
	}
	for _, match := range names {
		name := match[1]
		if strings.HasPrefix(name, "--") && !slices.Contains(known, name[2:]) {
			t.Errorf("docs/clusters.md: nothing has the flag %s", name)
		}
	}
}
