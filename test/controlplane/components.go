// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Component is one process of the control plane.
type Component string

// The components. Their names are those of the binaries, but for that of another API server: see AddAPIServer.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	SecondAPIServer   Component = "kube-apiserver-2"
	ControllerManager Component = "kube-controller-manager"
)

// executable returns the path of the binary.
func (cp *ControlPlane) executable(c Component) string {
	if c == SecondAPIServer {
		return filepath.Join(cmp.Or(cp.options.SecondBinDir, cp.binDir), string(APIServer))
	}
	return filepath.Join(cp.binDir, string(c))
}

const (
	startTimeout = 60 * time.Second // until it answers; then the start has failed
	stopTimeout  = 20 * time.Second // after SIGTERM; then SIGKILL
	// etcd waits 7 s for its clients to leave, which the API server doesn't; killing it loses nothing that it confirmed.
	etcdStopTimeout = 2 * time.Second
	logTailLines    = 30
)

// runner is a process that can be started again after it was stopped. Start returns once it is healthy or has failed.
// Both are no-ops where there is nothing to do.
type runner interface {
	Start() error
	Stop() error
}

// StartComponent starts a stopped component with the ports, data and keys it had, and waits until it is ready.
func (cp *ControlPlane) StartComponent(ctx context.Context, c Component) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.startComponent(ctx, c)
}

// StopComponent stops a component. The others go on without it.
func (cp *ControlPlane) StopComponent(c Component) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.stopComponent(c)
}

// RestartComponent stops and starts a component, with the ports, data and keys it had: clients reconnect by themselves.
func (cp *ControlPlane) RestartComponent(ctx context.Context, c Component) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if err := cp.stopComponent(c); err != nil {
		return err
	}
	return cp.startComponent(ctx, c)
}

func (cp *ControlPlane) startComponent(ctx context.Context, c Component) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("starting %s: %w", c, err)
	}
	run, known := cp.runners[c]
	switch {
	case cp.stopped:
		return fmt.Errorf("starting %s: the control plane is stopped", c)
	case !known:
		return fmt.Errorf("unknown component %q", c)
	case cp.running[c]:
		return nil
	}
	began := time.Now()
	cp.running[c] = true // also when the start fails: a process that hangs has to be stopped
	err := cp.thread.do(run.Start)
	if err == nil {
		err = cp.waitUntilServing(ctx, c)
	}
	if err != nil {
		return errors.Join(
			fmt.Errorf("%s did not start: %w\n%s", c, err, logTail(cp.Log(c))),
			cp.stopComponent(c))
	}
	cp.progress("%s is ready after %s", c, time.Since(began).Round(time.Millisecond))
	return nil
}

// waitUntilServing waits until the API server is ready, if the component matters to it and it runs.
func (cp *ControlPlane) waitUntilServing(ctx context.Context, c Component) error {
	switch {
	case c == ControllerManager || !cp.running[Etcd]:
		return nil
	case c == SecondAPIServer:
		return cp.waitForAPIServer(ctx, cp.secondURL())
	case cp.running[APIServer]:
		return cp.waitForAPIServer(ctx, cp.URL())
	}
	return nil
}

func (cp *ControlPlane) stopComponent(c Component) error {
	if !cp.running[c] {
		return nil
	}
	if err := cp.runners[c].Stop(); err != nil {
		// It outlived SIGTERM and was killed: the second call waits for the end of that.
		cp.progress("%s: %v", c, err)
		if err := cp.runners[c].Stop(); err != nil {
			return fmt.Errorf("%s did not stop: %w", c, err)
		}
	}
	cp.running[c] = false
	cp.progress("%s is stopped", c)
	return nil
}

// openLog opens a component's log for appending. The process writes to the file itself, not through this program.
func (cp *ControlPlane) openLog(c Component) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(cp.Log(c)), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(cp.Log(c), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		cp.logs[c] = file
	}
	return file, err
}

// logTail returns the last lines of a log, for an error message.
func logTail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) > logTailLines {
		lines = lines[len(lines)-logTailLines:]
	}
	return fmt.Sprintf("end of its log %s:\n%s", path, strings.Join(lines, "\n"))
}
