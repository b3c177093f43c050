// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clientidentity/operator/test/controlplane"
)

// shell runs the command lines that the demo prints, word for word: as an administrator of the control plane, with
// the kubectl that was built.
type shell struct {
	root, dir string
	env       []string
}

// newShell returns a shell in dir.
func newShell(root, dir string, cp *controlplane.ControlPlane) *shell {
	env := []string{
		"PATH=" + filepath.Join(root, "bin") + string(os.PathListSeparator) + filepath.Dir(cp.Kubectl()) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"KUBECONFIG=" + cp.Kubeconfig(),
		"HOME=" + dir, // of kubectl's cache
		"TZ=UTC",
	}
	return &shell{root: root, dir: dir, env: env}
}

// inRoot returns the same shell in the root of the repository.
func (s *shell) inRoot() *shell { return &shell{root: s.root, dir: s.root, env: s.env} }

// on returns a shell on another machine, which knows nothing but what is installed there: kubectl and the plugin. Its home is a
// directory beside the files of this one.
func (s *shell) on(machine string) *shell {
	if machine == "" {
		return s
	}
	home := filepath.Join(s.dir, machine)
	return &shell{root: s.root, dir: home, env: append(slices.Clone(s.env), "HOME="+home, "KUBECONFIG="+filepath.Join(home, "kubeconfig"))}
}

// run runs a command line, and returns what it printed on both outputs.
func (s *shell) run(ctx context.Context, line string) (string, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.env...)
	// A group of its own, so that an interruption reaches what the shell has started, and from us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// indent indents every line of a text that is not empty.
func indent(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return "  " + strings.Join(lines, "\n  ") + "\n"
}
