// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// grants are the commands that the plugin says grant what is missing.
var grants = regexp.MustCompile(`(?m)kubectl create (?:cluster)?role(?:binding)? .*$`)

// obey does, as an administrator, what the plugin says that grants what is missing.
func obey(said string) {
	GinkgoHelper()
	commands := grants.FindAllString(said, -1)
	Expect(commands).NotTo(BeEmpty(), said)
	for _, command := range commands {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Env = append(os.Environ(), "HOME="+cp.Dir(), "KUBECONFIG="+cp.Kubeconfig(), "PATH="+filepath.Dir(cp.Kubectl())+":/usr/bin:/bin")
		out, err := cmd.CombinedOutput()
		if err != nil {
			Expect(string(out)).To(ContainSubstring("already exists"), command) // another check lacked the same
		}
	}
}
