// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	binDirEnv  = "CONTROL_PLANE_BIN"
	modulePath = "github.com/clientidentity/operator"
)

var errNoBinaries = errors.New("control plane binaries not found: run: make control-plane")

// findBinaries returns the directory of the binaries: the given one, else that of the environment, else the one
// that make control-plane builds.
func findBinaries(given string) (string, error) {
	dir := given
	if dir == "" {
		dir = os.Getenv(binDirEnv)
	}
	if dir == "" {
		root, err := repositoryRoot()
		if err != nil {
			return "", err
		}
		if dir, err = pinnedVersion(root); err != nil {
			return "", err
		}
	}
	for _, name := range []string{string(Etcd), string(APIServer), string(ControllerManager), "kubectl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%w (%w)", errNoBinaries, err)
		}
	}
	return filepath.Abs(dir)
}

// pinnedVersion returns the directory that make control-plane builds, named after the version that hack/controlplane/go.mod pins.
// Others may stand beside it: make test-kubernetes names each of them.
func pinnedVersion(root string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(root, "hack", "controlplane", "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "k8s.io/kubernetes" {
			return filepath.Join(root, "bin", "k8s", fields[1]), nil
		}
	}
	return "", errors.New("hack/controlplane/go.mod does not require k8s.io/kubernetes")
}

// repositoryRoot returns the nearest directory, from the working directory upwards, with this module's go.mod.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod of %s above the working directory: set %s", modulePath, binDirEnv)
		}
		dir = parent
	}
}
