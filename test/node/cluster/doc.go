// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package cluster starts a real Kubernetes node for tests, and the control plane that it joins: kubelet, kube-proxy, scheduler,
// containerd and runc, so that what is installed runs in pods as it does at users'. There is no registry and no other container
// engine: images are imported from files.
//
// All of it lives in namespaces of its own (mount, network, IPC, host name and process ids), which the test binary starts
// itself anew in: see Main. They end with the test, however that ends, and everything in them with them. Outside are only
// directories of cgroups, which Main removes.
package cluster

import (
	"fmt"
	"os"
)

const (
	// RunEnv is the environment variable that lets the tests run: make e2e-node sets it.
	RunEnv = "NODE_TESTS"
	// RequiredEnv is the environment variable that lets them fail on a machine that cannot run them, which else skips them and says
	// why. CI sets it.
	RequiredEnv = "NODE_REQUIRED"
)

// unable ends a test binary on a machine that cannot run its tests.
func unable(reason string) int {
	if os.Getenv(RequiredEnv) != "" {
		fmt.Fprintf(os.Stderr, "FAIL: tests on a node are required here, and cannot run: %s\n", reason)
		return 1
	}
	fmt.Fprintf(os.Stderr, "SKIPPED, nothing was tested: %s\n", reason)
	return 0
}
