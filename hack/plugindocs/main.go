// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Plugindocs prints docs/kubectl-plugin.md, from the help of the plugin's commands.
package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/plugin"
)

const head = `# kubectl clientidentity

<!-- Generated from the help of its commands by make docs: do not edit. -->

The plugin for those who hand identities out, those who use them, and their devices. [Install](install.md#the-kubectl-plugin) it, and
kubectl finds it. All commands take kubectl's own flags (` + "`--kubeconfig`, `--context`, `--as`" + ` and so on; ` + "`kubectl options`" + ` lists them) and
need no more rights than their help says: an error names the one that is missing, and the commands that grant it.

Colours are for terminals; ` + "`NO_COLOR=1`" + ` turns them off. The exit code is 0, or 1 where something failed or the answer is no.
`

func main() {
	root := plugin.NewCommand(genericiooptions.IOStreams{Out: io.Discard, ErrOut: io.Discard}, clock.RealClock{}, "")
	var commands []*cobra.Command
	for _, command := range root.Commands() {
		if command.IsAvailableCommand() || (command.Hidden && command.Long != "") { // kubeconfigs call that one
			commands = append(commands, command)
		}
	}
	fmt.Print(head)
	fmt.Print("\n| Command | What it does |\n| --- | --- |\n")
	for _, command := range commands {
		fmt.Printf("| [%s](#%[1]s) | %s |\n", command.Name(), escape(command.Short))
	}
	for _, command := range commands {
		section(command)
	}
}

func section(command *cobra.Command) {
	fmt.Printf("\n## %s\n\n%s\n\n```sh\n%s\n```\n", command.Name(), strings.TrimSpace(command.Long), command.UseLine())
	fmt.Printf("\n```sh\n%s\n```\n", unindent(command.Example))
	var rows []string
	command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden && flag.Name != "help" {
			rows = append(rows, row(flag))
		}
	})
	if len(rows) > 0 {
		fmt.Printf("\n| Flag | |\n| --- | --- |\n%s\n", strings.Join(rows, "\n"))
	}
}

func row(flag *pflag.Flag) string {
	kind, usage := pflag.UnquoteUsage(flag)
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	if kind != "" {
		name += " " + kind
	}
	switch flag.DefValue {
	case "", "false", "[]", "0":
	default:
		usage += " Default: `" + flag.DefValue + "`."
	}
	return "| `" + name + "` | " + escape(usage) + " |"
}

// escape keeps a text within a cell of a table, and from being taken for HTML.
func escape(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}

func unindent(example string) string {
	lines := strings.Split(strings.Trim(example, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
