// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command former builds the operator of the release before, from its commit, where that has not been done: the tests on a node cannot,
// which reach no network.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

func main() {
	path, err := build(context.Background())
	switch {
	case errors.Is(err, fixture.ErrNoSource) && os.Getenv("UPGRADE_REQUIRED") != "yes":
		fmt.Fprintf(os.Stderr, "The operator of the release before is not built: %v\n", err)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	default:
		fmt.Println(path)
	}
}

func build(ctx context.Context) (string, error) {
	root, err := operator.Root()
	if err != nil {
		return "", err
	}
	release, err := fixture.Load(filepath.Join(root, fixture.Previous))
	if err != nil {
		return "", err
	}
	return release.Manager(ctx, root)
}
