// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideEnv is set for the copies of this test that run in namespaces: what the tests in them do, and readyEnv is the file that they
// write then, outside.
const (
	insideEnv = "NODE_CLUSTER_TEST"
	readyEnv  = "NODE_CLUSTER_TEST_READY"
	bound     = time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		os.Exit(Main(m))
	}
	os.Exit(m.Run())
}

// TestInside is what runs in namespaces: it leaves a process in a cgroup of the node, as a pod has.
func TestInside(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("it is run by the other test")
	}
	sleeper := exec.Command("sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	groups := allCgroups(os.Getenv(cgroupEnv))
	if len(groups) == 0 {
		t.Fatal("the node has no cgroups")
	}
	for _, group := range groups {
		pod := filepath.Join(group, "pod")
		if err := os.Mkdir(pod, 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(group, "/cpuset/") { // this one would need CPUs first
			continue
		}
		if err := os.WriteFile(filepath.Join(pod, "cgroup.procs"), []byte(strconv.Itoa(sleeper.Process.Pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(os.Getenv(readyEnv), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	switch os.Getenv(insideEnv) {
	case "fails":
		t.Fatal("as it was told")
	case "hangs":
		select {}
	}
}

func TestNothingIsLeft(t *testing.T) {
	if os.Getenv(RunEnv) == "" {
		t.Skip("make e2e-node runs it")
	}
	if missing := missing(); missing != nil {
		if os.Getenv(RequiredEnv) != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	for name, test := range map[string]struct {
		inside string
		signal syscall.Signal
		code   int
	}{
		"by tests that pass":        {inside: "passes"},
		"by tests that fail":        {inside: "fails", code: 1},
		"where it is interrupted":   {inside: "hangs", signal: syscall.SIGINT, code: 1},
		"where it is terminated":    {inside: "hangs", signal: syscall.SIGTERM, code: 1},
		"where 'go test' gives up":  {inside: "hangs", signal: syscall.SIGQUIT, code: 1},
		"after one that was killed": {inside: "hangs", signal: syscall.SIGKILL, code: -1},
	} {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			pid, code := runInside(t, temporary, test.inside, test.signal)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if test.signal == syscall.SIGKILL {
				// Nobody is left to remove the cgroups, but for the next one.
				eventually(t, func() bool { return len(processesIn(pid)) == 0 })
				runInside(t, temporary, "passes", 0)
			}
			if left := allCgroups(prefix + strconv.Itoa(pid)); len(left) > 0 {
				t.Errorf("cgroups are left: %v", left)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v, %v", left, err)
			}
		})
	}
}

// runInside runs TestInside in namespaces, sends a signal once it is at work, and waits for the end.
func runInside(t *testing.T, temporary, inside string, signal syscall.Signal) (pid, code int) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command(os.Args[0], "-test.run=^TestInside$")
	cmd.Env = append(os.Environ(), insideEnv+"="+inside, readyEnv+"="+ready, "TMPDIR="+temporary)
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid = cmd.Process.Pid
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", inside, out)
		}
	})
	if signal != 0 {
		eventually(t, func() bool { _, err := os.Stat(ready); return err == nil })
		if len(processesIn(pid)) == 0 {
			t.Error("no process of the node is seen outside: this test would not see one that is left")
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	var failed *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return pid, cmd.ProcessState.ExitCode()
}

// processesIn returns the processes in the cgroups of a run.
func processesIn(pid int) []string {
	var found []string
	for _, group := range allCgroups(prefix + strconv.Itoa(pid)) {
		content, err := os.ReadFile(filepath.Join(group, "pod", "cgroup.procs"))
		if err == nil {
			found = append(found, strings.Fields(string(content))...)
		}
	}
	return found
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("never")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
