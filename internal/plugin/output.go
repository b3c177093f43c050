// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// wide is the output format with more columns.
const wide = "wide"

// Output is the flag -o, as kubectl has it.
type Output struct {
	flags *genericclioptions.PrintFlags
	wide  bool // whether it is one of the formats
}

// NewOutput adds -o and what belongs to it to a command that prints objects of the API; withWide where it has more columns to print.
// Without it, a command prints for people.
func NewOutput(cmd *cobra.Command, withWide bool) *Output {
	o := &Output{flags: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme()), wide: withWide}
	o.flags.AddFlags(cmd)
	formats := o.formats()
	cmd.Flags().Lookup("output").Usage = "Output format. One of: (" + strings.Join(formats, ", ") + ")."
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return o
}

func (o *Output) formats() []string {
	formats := o.flags.AllowedFormats()
	if o.wide {
		formats = append(formats, wide)
	}
	return formats
}

// Wide says whether -o wide is given.
func (o *Output) Wide() bool { return o.wide && *o.flags.OutputFormat == wide }

// ForPeople says whether it is people who read what is printed.
func (o *Output) ForPeople() bool { return *o.flags.OutputFormat == "" || o.Wide() }

// Print prints an object in the format that is asked for. It is for programs: see ForPeople.
func (o *Output) Print(env *Env, object runtime.Object) error {
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return fmt.Errorf("print as %q: %w", *o.flags.OutputFormat, err)
	}
	if *o.flags.OutputFormat != "name" || !meta.IsListType(object) {
		return printer.PrintObj(object, env.Out)
	}
	return meta.EachListItem(object, func(item runtime.Object) error { return printer.PrintObj(item, env.Out) })
}
