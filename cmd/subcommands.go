// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

// subcommandOf returns what the first argument asks for, nil where that is the operator itself.
func subcommandOf(args []string) func() error {
	if len(args) == 0 {
		return nil
	}
	var run func() error
	switch args[0] {
	case "authorization-config":
		run = func() error {
			return printAuthorizationConfig(ctrl.SetupSignalHandler(), args[1:], os.Stdout, os.Stderr)
		}
	case "preflight":
		run = func() error { return runPreflight(ctrl.SetupSignalHandler(), args[1:], os.Stdout, os.Stderr) }
	default:
		return nil
	}
	return func() error {
		err := run()
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
}

// usageError is that a subcommand was called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is what a program ends with that ends with this error.
func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// parse parses the flags of a subcommand, which takes no arguments. Asked for help it prints that and fails with flag.ErrHelp.
func parse(flags *flag.FlagSet, args []string, help string, stdout io.Writer) error {
	flags.SetOutput(io.Discard) // errors are printed once, by main
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, help)
		flags.PrintDefaults()
		return err
	} else if err != nil {
		return usageError{fmt.Errorf("%w: see %s --help", err, flags.Name())}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: see %s --help", flags.Arg(0), flags.Name())}
	}
	return nil
}
