// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"
)

// File is one file: YAML, with a comment that says what to do with it.
type File struct {
	// Name is its name without a folder.
	Name string
	// Content is all of it.
	Content []byte
}

// configFile is the name of the AuthorizationConfiguration.
const configFile = "authorization.yaml"

// plainFiles returns the kubeconfig and the AuthorizationConfiguration, in this order: the second one names the first, and is
// watched.
func plainFiles(p Parameters) ([]File, error) {
	name, content, err := connection(p)
	if err != nil {
		return nil, err
	}
	at := path.Join(p.Directory, name)
	config, err := file(configFile, configuration(at, p.FailurePolicy),
		fmt.Sprintf("%s on each control plane node, after the kubeconfig: kube-apiserver --authorization-config takes it", path.Join(p.Directory, configFile)),
		fmt.Sprintf("instead of --authorization-mode. Kubernetes 1.%d or later.", MinimumMinor))
	if err != nil {
		return nil, err
	}
	return []File{
		{Name: name, Content: withComment(content, at+" on each control plane node: how the API server asks the operator. No secret is in it.")},
		config,
	}, nil
}

// file returns a file with a comment.
func file(name string, content any, comment ...string) (File, error) {
	encoded, err := yaml.Marshal(content)
	if err != nil {
		return File{}, fmt.Errorf("encode %s: %w", name, err)
	}
	return File{Name: name, Content: withComment(encoded, comment...)}, nil
}

func withComment(content []byte, lines ...string) []byte {
	return append([]byte("# "+strings.Join(lines, "\n# ")+"\n"), content...)
}
