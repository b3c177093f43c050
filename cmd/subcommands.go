// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
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
		run = func() error { return preflight(ctrl.SetupSignalHandler(), args[1:], os.Stdout) }
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
