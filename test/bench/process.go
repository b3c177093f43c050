// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	readyBound = 2 * time.Minute
	stopBound  = 40 * time.Second // after SIGTERM; then SIGKILL
	tailLines  = 30
)

// process is a program that is started and stopped, maybe several times.
type process struct {
	path, log   string
	args        []string
	environment []string

	command *exec.Cmd
	ended   chan struct{}
	former  time.Duration // time of the processor of those that have ended
}

// start starts it. Ctrl-C in a terminal is not for it.
func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	p.command = exec.Command(p.path, p.args...)
	p.command.Env = append(os.Environ(), p.environment...)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		p.command = nil
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	p.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait() // its log says why it ended
		close(ended)
	}(p.command, p.ended)
	return nil
}

// stop ends it as a kubelet does, and waits for its end.
func (p *process) stop() error {
	if p.command == nil {
		return nil
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // fails where it has ended
	var err error
	select {
	case <-p.ended:
	case <-time.After(stopBound):
		err = errors.Join(fmt.Errorf("%s did not end within %s of a SIGTERM and was killed", p.path, stopBound), p.command.Process.Kill())
		<-p.ended
	}
	p.former += p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime()
	p.command = nil
	return err
}

func (p *process) pid() int {
	if p.command == nil {
		return 0
	}
	return p.command.Process.Pid
}

// cpu returns the time of the processor that it has used, whenever it was started.
func (p *process) cpu() time.Duration {
	if p.command == nil {
		return p.former
	}
	return p.former + cpuOf(p.pid())
}

// waitReady waits until it answers at a URL that it is ready.
func (p *process) waitReady(ctx context.Context, url string) error {
	return until(ctx, 20*time.Millisecond, readyBound, "waiting for "+p.path, func() (bool, error) {
		if isClosed(p.ended) {
			return false, fmt.Errorf("%s has ended: the end of its log:\n%s", p.path, p.tail())
		}
		body, err := get(ctx, http.DefaultClient, url, "")
		if err != nil {
			return false, err
		}
		return true, body.Close()
	})
}

// tail returns the end of the log.
func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
