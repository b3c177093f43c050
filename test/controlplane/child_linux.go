// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// childAttributes make a process die with the thread that started it, and keep the terminal's Ctrl-C from it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// binary returns the path to start a component by: a script that stands in for the binary and notes its process id, for
// Pause. envtest starts its processes without a parent-death signal, so they would outlive a test that is killed: the script
// sets it first, where util-linux' setpriv is there.
func (cp *ControlPlane) binary(c Component) (string, error) {
	script := fmt.Sprintf("#!/bin/sh\necho $$ >'%s'\nexec ", cp.pidFile(c))
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		script += fmt.Sprintf("'%s' --pdeathsig KILL ", setpriv)
	}
	script += fmt.Sprintf("'%s' \"$@\"\n", cp.executable(c))
	wrapper := filepath.Join(cp.dir, "bin", string(c))
	if err := writeFile(wrapper, []byte(script)); err != nil {
		return "", err
	}
	return wrapper, os.Chmod(wrapper, 0o700)
}
