// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/clientidentity/operator/test/operator"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second // after SIGTERM; then SIGKILL
	logTailLines = 25
)

// process is the operator in a process of its own.
type process struct {
	cmd     *exec.Cmd
	logFile string
	probes  string // host:port of /readyz
	metrics string // host:port of /metrics
	ended   chan struct{}
	err     error // once ended is closed
}

// startManager starts the operator as it is deployed, with leader election. That also ends it, were this program
// killed: without an API server it loses its lease.
func startManager(binary, kubeconfig, logFile string, flags ...string) (*process, error) {
	probes, err := freeAddress()
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd := exec.Command(binary, append(flags,
		"--kubeconfig="+kubeconfig,
		"--leader-elect", "--leader-election-namespace="+operator.Namespace,
		"--health-probe-bind-address="+probes, "--metrics-bind-address="+metrics,
		"--zap-encoder=console", "--zap-time-encoding=rfc3339")...)
	cmd.Dir = filepath.Dir(logFile)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's Ctrl-C is for us to handle
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	p := &process{cmd: cmd, logFile: logFile, probes: probes, metrics: metrics, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// waitReady waits until the operator says that it is ready.
func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the operator ended: %w", p.exit())
		case <-ctx.Done():
			return fmt.Errorf("the operator is not ready: %w", err)
		case <-tick.C:
		}
	}
}

func (p *process) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.probes+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", response.Status)
	}
	return nil
}

// exit returns what the ended process ended with.
func (p *process) exit() error {
	if p.err == nil {
		return errors.New("with exit code 0")
	}
	return p.err
}

// stop ends the process and waits for its end.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails where it has ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
	}
	err := p.cmd.Process.Kill()
	<-p.ended
	return errors.Join(fmt.Errorf("the operator did not end within %s of a SIGTERM and was killed", stopTimeout), err)
}

// logTail returns the last lines of the log.
func (p *process) logTail() string {
	content, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTailLines):], "\n")
}

// freeAddress returns an address on the loopback that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
