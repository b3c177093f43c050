// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

const (
	binDirEnv  = "CONTROL_PLANE_BIN"
	modulePath = "github.com/clientidentity/operator"
)

var errNoBinaries = errors.New("control plane binaries not found: run: make control-plane")

// findBinaries returns the directory of the binaries: the given one, else that of the environment, else the newest one
// that this repository has built.
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
		if dir, err = newestVersion(filepath.Join(root, "bin", "k8s")); err != nil {
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

// newestVersion returns the subdirectory with the highest version as its name.
func newestVersion(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", errNoBinaries, err)
	}
	var name string
	var newest *version.Version
	for _, entry := range entries {
		found, err := version.ParseGeneric(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		if newest == nil || newest.LessThan(found) {
			name, newest = entry.Name(), found
		}
	}
	if newest == nil {
		return "", fmt.Errorf("%w (%s is empty)", errNoBinaries, dir)
	}
	return filepath.Join(dir, name), nil
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
