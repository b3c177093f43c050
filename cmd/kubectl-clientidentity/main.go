// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// kubectl clientidentity: see --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/plugin"
)

// Set by the linker: the version, and the commit that it was built from.
var (
	version  = "dev"
	revision = "unknown"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	root := plugin.NewCommand(streams, clock.RealClock{}, fmt.Sprintf("%s (revision %s)", version, revision))
	if err := plugin.Execute(ctx, root, os.Args[1:]); err != nil {
		if !errors.Is(err, plugin.ErrNo) {
			fmt.Fprintf(os.Stderr, "error: %s\n", plugin.Told(err))
		}
		return 1
	}
	return 0
}
