//go:build !linux

// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/clientidentity/operator/test/controlplane"
)

var errNotLinux = errors.New("a node needs the namespaces and cgroups of Linux")

// Main says that there are no namespaces here.
func Main(*testing.M) int { return unable(errNotLinux.Error()) }

// Cluster lets the tests compile.
type Cluster struct{ *controlplane.ControlPlane }

// Start fails.
func Start(context.Context, controlplane.Options, ...func(context.Context, *Cluster) error) (*Cluster, error) {
	return nil, errNotLinux
}

// ImportImage fails.
func (*Cluster) ImportImage(context.Context, string) error { return errNotLinux }

// ImportProgram fails.
func (*Cluster) ImportProgram(context.Context, string, string) error { return errNotLinux }

// Report is empty.
func (*Cluster) Report(context.Context) string { return "" }
