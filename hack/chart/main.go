// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Chart makes what is generated in charts/client-identity-operator: copies of what config ships, so that nothing is written twice,
// the README, from the comments in values.yaml, and what Artifact Hub shows as changes, from CHANGELOG.md. Run it in the root directory
// of the repository.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	source = "config"
	chart  = "charts/client-identity-operator"
)

// shipped are the folders and files of config whose content the chart's templates take as it is. Of config/manager, the
// Deployment is a template: nearly every value is about it.
var shipped = []string{
	"crd",
	"grafana",
	"manager",
	"network-policy",
	"overlays/all-secret-namespaces/secrets.yaml",
	"overlays/cert-manager/certificate.yaml",
	"policy",
	"prometheus",
	"rbac",
	"webhook",
}

// left are the names of files that the chart has no use for.
var left = map[string]bool{"kustomization.yaml": true, "deployment.yaml": true}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run() error {
	target := filepath.Join(chart, "files")
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	for _, path := range shipped {
		if err := copyAll(path, target); err != nil {
			return err
		}
	}
	if err := rewrite(filepath.Join(chart, "README.md"), filepath.Join(chart, "values.yaml"), func(_, values []byte) ([]byte, error) {
		return readmeOf(values)
	}); err != nil {
		return err
	}
	return rewrite(filepath.Join(chart, "Chart.yaml"), "CHANGELOG.md", withChanges)
}

// rewrite makes the content of a file from what it was and from another file.
func rewrite(target, from string, content func(before, source []byte) ([]byte, error)) error {
	before, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	read, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	after, err := content(before, read)
	if err != nil {
		return err
	}
	return os.WriteFile(target, after, 0o644)
}

// copyAll copies a file, or the files of a folder, of config below the target, paths kept.
func copyAll(path, target string) error {
	return filepath.WalkDir(filepath.Join(source, path), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || left[entry.Name()] {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		copied := filepath.Join(target, name)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return err
		}
		return os.WriteFile(copied, content, 0o644)
	})
}
