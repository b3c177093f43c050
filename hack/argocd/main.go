// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command argocd prints the entries of Argo CD's ConfigMap argocd-cm that hold the scripts of config/argocd, for those who
// install them themselves: make generate writes them to config/argocd/argocd-cm.yaml.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const header = `# Health and actions of ClientIdentities for Argo CD, generated from resource_customizations by make generate.
# kubectl patch configmap argocd-cm -n argocd --patch-file config/argocd/argocd-cm.yaml
data:
`

func main() {
	if err := write(os.Stdout, "config/argocd/resource_customizations/clientidentity.dev/ClientIdentity"); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

func write(out *os.File, folder string) error {
	health, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return err
	}
	discovery, err := os.ReadFile(filepath.Join(folder, "actions", "discovery.lua"))
	if err != nil {
		return err
	}
	actions, err := filepath.Glob(filepath.Join(folder, "actions", "*", "action.lua"))
	if err != nil {
		return err
	}
	text := header +
		"  resource.customizations.health.clientidentity.dev_ClientIdentity: |\n" + indent(4, health) +
		"  resource.customizations.actions.clientidentity.dev_ClientIdentity: |\n" +
		"    discovery.lua: |\n" + indent(6, discovery) +
		"    definitions:\n"
	for _, file := range actions {
		script, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text += "    - name: " + filepath.Base(filepath.Dir(file)) + "\n      action.lua: |\n" + indent(8, script)
	}
	_, err = out.WriteString(text)
	return err
}

// indent returns a script with that many spaces before each line that is not empty.
func indent(spaces int, script []byte) string {
	var indented strings.Builder
	for line := range strings.Lines(string(script)) {
		if line != "\n" {
			line = strings.Repeat(" ", spaces) + line
		}
		indented.WriteString(line)
	}
	return indented.String()
}
