// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

const head = `# Client Identity Operator

<!-- Generated from values.yaml by make manifests: do not edit. -->

Kubernetes users as declarative objects: a ClientIdentity has a client certificate, a Secret with a kubeconfig that was proven to
work, and exactly the role bindings that it asks for. What it does, how to install and upgrade it and what stays after an uninstall is in
[the project's guides](https://github.com/clientidentity/operator/blob/main/docs/install.md).

` + "```sh" + `
helm install client-identity-operator charts/client-identity-operator --namespace client-identity-system --create-namespace
` + "```" + `

A cluster can have one operator. The names of its objects are fixed, whatever the release's name is.

## Values
`

// A value is a row of the README: something that can be set.
type value struct {
	path, comment, fallback string
}

// readmeOf returns the README for the chart's values.
func readmeOf(values []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(head)
	out.WriteString("\n| Value | What it sets | Default |\n| --- | --- | --- |\n")
	rows, err := rowsOf("", document.Content[0])
	for _, row := range rows {
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", row.path, row.comment, row.fallback)
	}
	return out.Bytes(), err
}

// rowsOf returns the rows for a mapping. A mapping that has comments within is a group of values, any other one is a value.
func rowsOf(prefix string, mapping *yaml.Node) ([]value, error) {
	var rows []value
	var errs []error
	for i := 0; i < len(mapping.Content); i += 2 {
		key, content := mapping.Content[i], mapping.Content[i+1]
		path := prefix + key.Value
		comment := sentence(key.HeadComment)
		if isGroup(content) {
			if comment != "" {
				rows = append(rows, value{path: path, comment: comment})
			}
			more, err := rowsOf(path+".", content)
			rows, errs = append(rows, more...), append(errs, err)
			continue
		}
		if comment == "" {
			errs = append(errs, fmt.Errorf("values.yaml: %s has no comment that says what it sets", path))
		}
		fallback, err := inline(content)
		rows, errs = append(rows, value{path: path, comment: comment, fallback: fallback}), append(errs, err)
	}
	return rows, errors.Join(errs...)
}

func isGroup(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].HeadComment != "" || isGroup(node.Content[i+1]) {
			return true
		}
	}
	return false
}

// sentence returns a comment as one line of Markdown. Of several paragraphs, the last one is about the value.
func sentence(comment string) string {
	paragraphs := strings.Split(comment, "\n\n")
	var words []string
	for line := range strings.Lines(paragraphs[len(paragraphs)-1]) {
		words = append(words, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")))
	}
	return strings.ReplaceAll(strings.Join(words, " "), "|", "\\|")
}

// inline returns a default as JSON, which is YAML on one line.
func inline(node *yaml.Node) (string, error) {
	var content any
	if err := node.Decode(&content); err != nil {
		return "", err
	}
	text, err := json.Marshal(content)
	return "`" + string(text) + "`", err
}
