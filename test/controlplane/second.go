// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"k8s.io/client-go/rest"
)

// AddAPIServer starts another API server on the same etcd, as SecondAPIServer, and returns an administrator's client
// configuration for it. It trusts the same client CAs and the same service account tokens. The controller manager,
// Config and URL stay with the first one.
func (cp *ControlPlane) AddAPIServer(ctx context.Context) (*rest.Config, error) {
	if err := cp.prepareSecond(); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", SecondAPIServer, err)
	}
	if err := cp.StartComponent(ctx, SecondAPIServer); err != nil {
		return nil, err
	}
	return cp.ThroughSecond(cp.admin), nil
}

// ThroughSecond returns a client configuration that talks to the second API server instead.
func (cp *ControlPlane) ThroughSecond(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Host = cp.secondURL()
	return config
}

func (cp *ControlPlane) prepareSecond() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.second != nil {
		return nil
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	second, err := cp.newAPIServer(SecondAPIServer, ports[0])
	if err != nil {
		return err
	}
	args := second.Configure()
	// Tokens name the API server that issued them, which is the first. Both would write the same audit log, and fight over the
	// endpoints of the Service kubernetes, since they have one address.
	args.Set("service-account-issuer", cp.apiServer.SecureServing.URL("https", "/").String())
	args.Set("endpoint-reconciler-type", "none")
	args.Disable("audit-policy-file").Disable("audit-log-path")
	cp.second, cp.runners[SecondAPIServer] = second, second
	return nil
}

func (cp *ControlPlane) secondURL() string { return cp.second.SecureServing.URL("https", "").String() }

// Pause stops a component's process in its tracks, as a machine does that is moved, or out of memory: connections stay open, and
// what is sent to it is answered after Resume.
func (cp *ControlPlane) Pause(c Component) error { return cp.signal(c, syscall.SIGSTOP) }

// Resume lets a paused component go on.
func (cp *ControlPlane) Resume(c Component) error { return cp.signal(c, syscall.SIGCONT) }

func (cp *ControlPlane) signal(c Component, signal syscall.Signal) error {
	pid, err := cp.PID(c)
	if err != nil {
		return fmt.Errorf("signal %w", err)
	}
	return syscall.Kill(pid, signal)
}

// PID returns the process id of a component that runs. Only Linux tells that of etcd and the API servers.
func (cp *ControlPlane) PID(c Component) (int, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if !cp.running[c] {
		return 0, fmt.Errorf("%s: it does not run", c)
	}
	if manager, is := cp.runners[c].(*controllerManager); is {
		return manager.cmd.Process.Pid, nil
	}
	content, err := os.ReadFile(cp.pidFile(c))
	if err != nil {
		return 0, fmt.Errorf("find the process of %s: %w", c, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("find the process of %s: %w", c, err)
	}
	return pid, nil
}

// pidFile is where the script that starts a component notes its process id.
func (cp *ControlPlane) pidFile(c Component) string {
	return filepath.Join(cp.dir, "bin", string(c)+".pid")
}
