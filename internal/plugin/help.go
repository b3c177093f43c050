// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd/api"
)

// What cobra's template says of flags: at the root, those are kubectl's, which all commands have.
const (
	localFlags     = `{{if .HasAvailableLocalFlags}}`
	inheritedFlags = `{{if .HasAvailableInheritedFlags}}

Global Flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}`
)

// What is said instead: 20 lines of kubectl's flags in each help hide the rest.
const (
	ownFlags = `{{if and .HasParent .HasAvailableLocalFlags}}`
	instead  = `

All commands take kubectl's own flags (--kubeconfig, --context, --as and so on): see "kubectl options".`
)

// The groups of commands in the help.
const (
	looking = "looking"
	giving  = "giving"
	ending  = "ending"
)

// groups says which group a command is in.
var groups = map[string]string{
	"list": looking, "status": looking, "verify": looking, "can-i": looking, "audit": looking,
	"invite": giving, "enroll": giving, "kubeconfig": giving, "renew": giving, "credential": giving,
	"withdraw": ending, "activate": ending, "revoke": ending, "offboard": ending,
}

// setHelp makes the help of all commands look like kubectl's, and completes what cobra does not.
func setHelp(root *cobra.Command, env *Env) {
	root.SetUsageTemplate(strings.NewReplacer(inheritedFlags, instead, localFlags, ownFlags).Replace(root.UsageTemplate()))
	root.AddGroup(&cobra.Group{ID: looking, Title: "Look:"}, &cobra.Group{ID: giving, Title: "Hand out and use:"}, &cobra.Group{ID: ending, Title: "End:"})
	for _, command := range root.Commands() {
		command.GroupID = groups[command.Name()]
	}
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
