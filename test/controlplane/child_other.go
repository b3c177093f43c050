// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package controlplane

import (
	"syscall"
)

// childAttributes keep the terminal's Ctrl-C from a process.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// binary returns the path to start a component by.
func (cp *ControlPlane) binary(c Component) (string, error) {
	return cp.executable(c), nil
}
