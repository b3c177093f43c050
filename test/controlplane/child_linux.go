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

// binary returns the path to start a component by. envtest starts its processes without a parent-death signal, so they
// would outlive a test that is killed: a script that sets it first stands in for the binary. Without util-linux'
// setpriv it is the binary itself.
func (cp *ControlPlane) binary(c Component) (string, error) {
	path := filepath.Join(cp.binDir, string(c))
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return path, nil //nolint:nilerr // without setpriv the binary is started itself
	}
	wrapper := filepath.Join(cp.dir, "bin", string(c))
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --pdeathsig KILL '%s' \"$@\"\n", setpriv, path)
	if err := writeFile(wrapper, []byte(script)); err != nil {
		return "", err
	}
	return wrapper, os.Chmod(wrapper, 0o700)
}
