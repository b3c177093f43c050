// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
)

// all returns a command and those under it.
func all(command *cobra.Command) []*cobra.Command {
	commands := []*cobra.Command{command}
	for _, child := range command.Commands() {
		commands = append(commands, all(child)...)
	}
	return commands
}

func TestEachCommandExplainsItself(t *testing.T) {
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	root := NewCommand(streams, clock.RealClock{}, "v1")
	for _, command := range all(root)[1:] {
		t.Run(command.CommandPath(), func(t *testing.T) {
			switch {
			case command.Short == "" || strings.HasSuffix(command.Short, "."):
				t.Error("Short is one line without a full stop: what it does")
			case !strings.HasSuffix(strings.TrimSpace(command.Long), "."):
				t.Error("Long is missing, or is no sentence: what it does, and which permissions it takes")
			case !strings.Contains(command.Example, command.CommandPath()):
				t.Errorf("Example has none with %q", command.CommandPath())
			case command.GroupID == "":
				t.Error("it is in no group of the help: see groups in help.go")
			case command.Args == nil:
				t.Error("Args is missing: arguments that nobody expects would be dropped without a word")
			}
			for line := range strings.SplitSeq(command.Example, "\n") {
				if line != "" && !strings.HasPrefix(line, "  ") {
					t.Errorf("the example is not indented by two: %q", line)
				}
			}
			command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
				if flag.Name != "help" && !strings.HasSuffix(flag.Usage, ".") {
					t.Errorf("what --%s does is no sentence: %q", flag.Name, flag.Usage)
				}
			})
		})
	}
}

func TestCommandsAreInTheOrderOfTheirNames(t *testing.T) {
	var names []string
	for _, command := range commands(&Env{}) {
		names = append(names, command.Name())
	}
	if !slices.IsSorted(names) {
		t.Errorf("the order is %v", names)
	}
}

func TestTheHelpLeavesKubectlsFlagsToKubectl(t *testing.T) {
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	root := NewCommand(streams, clock.RealClock{}, "v1")
	if err := Execute(t.Context(), root, []string{"list", "--help"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kubectl clientidentity list [flags]", "--not-ready", `see "kubectl options"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, out)
		}
	}
	if err := Execute(t.Context(), root, []string{"--help"}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "--insecure-skip-tls-verify") {
		t.Errorf("the help lists kubectl's flags:\n%s", out)
	}
}
