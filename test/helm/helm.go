// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package helm runs the Helm CLI that hack/helm pins, with the chart of this repository. The CLI and not its library, since users run that,
// and since it is as large as everything else that this module requires.
package helm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/clientidentity/operator/test/operator"
)

const (
	// Chart is the folder of the chart, in the root directory of the repository.
	Chart = "charts/client-identity-operator"

	binaryEnv = "HELM"
)

// CLI is the Helm CLI, at work for one user.
type CLI struct {
	// Kubeconfig is the user's kubeconfig; empty where no cluster is asked.
	Kubeconfig string
	// Home is a directory for what Helm keeps on disk, so that it finds nothing of whoever runs the tests.
	Home string
}

// Run runs Helm in the root directory of the repository and returns what it prints. The error has what it says on standard error.
func (c CLI) Run(ctx context.Context, args ...string) (string, error) {
	root, err := operator.Root()
	if err != nil {
		return "", err
	}
	binary, err := find(root)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+c.Kubeconfig, "HOME="+c.Home,
		"HELM_CACHE_HOME="+c.Home+"/cache", "HELM_CONFIG_HOME="+c.Home+"/config", "HELM_DATA_HOME="+c.Home+"/data")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w\n%s", args[0], err, problems.Bytes())
	}
	return out.String(), nil
}

// Template renders the chart as its users install it, with further arguments such as --values.
func (c CLI) Template(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, append([]string{"template", operator.ServiceAccount, Chart, "--namespace", operator.Namespace}, args...)...)
}

// version is the line of hack/helm/go.mod that says which Helm is built.
var version = regexp.MustCompile(`(?m)^\s*(?:require )?helm\.sh/helm/v4 (v\S+)`)

// find returns the path of the CLI: that of the environment, or the one that 'make helm' has built.
func find(root string) (string, error) {
	path := os.Getenv(binaryEnv)
	if path == "" {
		mod, err := os.ReadFile(filepath.Join(root, "hack", "helm", "go.mod"))
		if err != nil {
			return "", err
		}
		match := version.FindSubmatch(mod)
		if match == nil {
			return "", fmt.Errorf("hack/helm/go.mod requires no helm.sh/helm/v4")
		}
		path = filepath.Join(root, "bin", "helm-"+string(match[1]))
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no Helm CLI: run: make helm (%w)", err)
	}
	return path, nil
}
