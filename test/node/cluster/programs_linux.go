// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// BinEnv is the environment variable with the directory of the node's programs: make e2e-node sets it.
const BinEnv = "NODE_BIN"

// programs are what make node builds.
var programs = []string{"kubelet", "kube-proxy", "kube-scheduler", "containerd", "containerd-shim-runc-v2", "ctr", "pause"}

// binaries returns the directory of the node's programs.
func binaries() (string, error) {
	dir := os.Getenv(BinEnv)
	if dir == "" {
		return "", fmt.Errorf("%s does not say where the node's programs are: run make e2e-node", BinEnv)
	}
	for _, name := range programs {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%w: run make node", err)
		}
	}
	return dir, nil
}

// pluginDir returns the directory of the CNI plugins.
func pluginDir() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		_, err := os.Stat(filepath.Join(dir, "ptp"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", errors.New("CNI plugins")
}
