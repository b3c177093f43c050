// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	stageEnv   = "NODE_TESTS_STAGE"
	stageFirst = "first process"
	stageTests = "tests"
	dirEnv     = "NODE_TESTS_DIR"
	cgroupEnv  = "NODE_TESTS_CGROUP"

	// prefix is before the process id in the names of what is seen outside of the namespaces.
	prefix = "client-identity-node-"

	namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID
)

// Main runs the tests of a package on a machine of their own, and returns what to exit with. It is to be the whole of TestMain.
//
// It runs three times: outside, where it makes the namespaces, waits, and tidies up; as the first process in them, which
// prepares the machine and collects orphans; and where the tests run.
func Main(m *testing.M) int {
	switch os.Getenv(stageEnv) {
	case stageFirst:
		return exitCode(firstProcess())
	case stageTests:
		return m.Run()
	}
	if os.Getenv(RunEnv) == "" {
		fmt.Fprintln(os.Stderr, "SKIPPED, nothing was tested: make e2e-node runs these tests")
		return 0
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil { // some shells of root lack them
		return exitCode(err)
	}
	if missing := missing(); missing != nil {
		return unable(missing.Error())
	}
	return exitCode(outside())
}

// status is what a process ended with.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func exitCode(err error) int {
	var ended status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return int(ended)
	}
	fmt.Fprintf(os.Stderr, "FAIL: the machine for the tests: %v\n", err)
	return 1
}

// outside makes the namespaces and runs the tests in them. Nothing of them is left when it returns.
func outside() (err error) {
	// The first process gets SIGKILL when the thread ends that started it, and with it everything in its namespace.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	defer stop()

	removeLeft()
	group, err := makeCgroup()
	defer func() { err = errors.Join(err, group.remove()) }()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(dir)) }() // it is empty: what is in it is mounted in the namespace
	made, err := makeMountPoints()
	defer func() { err = errors.Join(err, removeAll(made)) }()
	if err != nil {
		return err
	}

	// The program itself, not what stands in its place by now; SIGKILL when ctx ends.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), stageEnv+"="+stageFirst, dirEnv+"="+dir, cgroupEnv+"="+group.name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A process group of its own: Ctrl-C is for this process alone, which then ends that one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a process in namespaces of its own: %w", err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return ended(cmd.ProcessState, err)
}

// removeLeft removes what a run left that was killed. It is no failure if that does not work: nothing depends on it.
func removeLeft() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*")) // the pattern is well formed
	remove := map[string]func(string) error{}
	for _, group := range allCgroups(prefix + "*") {
		remove[group] = removeTree
	}
	for _, dir := range dirs {
		remove[dir] = os.Remove // it is empty: what was in it was mounted
	}
	for left, removeLeft := range remove {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(left), prefix), "-")
		if _, err := os.Stat("/proc/" + pid); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := removeLeft(left); err != nil {
			fmt.Fprintf(os.Stderr, "left by an earlier run: %v\n", err)
		}
	}
}

// ended is what a process that was waited for ended with.
func ended(state *os.ProcessState, err error) error {
	var failed *exec.ExitError
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	if code := state.ExitCode(); code > 0 {
		return status(code)
	}
	return fmt.Errorf("it ended: %s", state)
}

// firstProcess is process 1 of the namespaces. It prepares the machine, starts the tests, and collects orphans until they
// have ended: pods' and containerd's, whose parents end before them.
func firstProcess() error {
	if err := prepareMachine(os.Getenv(dirEnv)); err != nil {
		return err
	}
	if err := os.Setenv(stageEnv, stageTests); err != nil {
		return err
	}
	tests, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	for {
		var how syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &how, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the tests: %w", err)
		case pid != tests.Pid:
		case how.Signaled():
			return fmt.Errorf("the tests were ended by a signal: %s", how.Signal())
		case how.ExitStatus() != 0:
			return status(how.ExitStatus())
		default:
			return nil
		}
	}
}

// missing says what this machine lacks.
func missing() error {
	if os.Geteuid() != 0 {
		return errors.New("a node needs root: run make e2e-node as root")
	}
	var absent []string
	for _, name := range []string{"runc", "nft", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			absent = append(absent, name)
		}
	}
	if _, err := pluginDir(); err != nil {
		absent = append(absent, err.Error())
	}
	if len(absent) > 0 {
		return fmt.Errorf("a node needs programs that are not here (%s): run make node-packages, or install the Debian packages "+
			"runc, containernetworking-plugins, nftables and iproute2", strings.Join(absent, ", "))
	}
	_, err := binaries()
	return err
}
