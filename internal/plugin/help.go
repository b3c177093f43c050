// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd/api"
)

// inheritedFlags is what cobra's template says of the flags that all commands have: those of kubectl.
const inheritedFlags = `{{if .HasAvailableInheritedFlags}}

Global Flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}`

// instead tells where they are explained: 20 lines of them in each help hide the rest.
const instead = `{{if .HasAvailableInheritedFlags}}

All commands take kubectl's own flags (--kubeconfig, --context, --as and so on): see "kubectl options".{{end}}`

// setHelp makes the help of all commands look like kubectl's, and completes what cobra does not.
func setHelp(root *cobra.Command, env *Env) {
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), inheritedFlags, instead, 1))
	root.CompletionOptions.HiddenDefaultCmd = true
	complete := map[string]func(*api.Config) []string{
		"context": func(c *api.Config) []string { return keys(c.Contexts) },
		"cluster": func(c *api.Config) []string { return keys(c.Clusters) },
		"user":    func(c *api.Config) []string { return keys(c.AuthInfos) },
	}
	for flag, names := range complete {
		// It fails only for a flag that does not exist.
		_ = root.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			config, err := env.Flags.ToRawKubeConfigLoader().RawConfig()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names(&config), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Example indents the examples of a command as its help shows them: lines that begin with # explain those that follow.
func Example(lines ...string) string {
	for i, line := range lines {
		if line != "" {
			lines[i] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}
