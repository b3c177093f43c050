// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/test/bench/result"
)

// tick is how Linux counts the time of processors for programs, on every machine that Go runs on.
const tick = time.Second / 100

// cpuOf returns the time of the processor that a process has used, its ended threads included. Only Linux tells; elsewhere it
// is zero.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return cpuIn(string(stat))
}

// cpuIn reads what proc_pid_stat(5) describes. The name, which is the second field, may have spaces and brackets in it.
func cpuIn(stat string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	const user, system = 14 - 3, 15 - 3 // the first here is the third there
	if len(fields) <= system {
		return 0
	}
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		count, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += count
	}
	return time.Duration(ticks) * tick
}

var (
	resident     = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
	peakResident = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)
	totalMemory  = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)
	modelName    = regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`)
)

// memoryOf returns the memory of a process, and the most that it ever had; zero where nobody tells.
func memoryOf(pid int) (now, peak int64) {
	status := fmt.Sprintf("/proc/%d/status", pid)
	return bytesIn(status, resident), bytesIn(status, peakResident)
}

func bytesIn(file string, pattern *regexp.Regexp) int64 {
	kibibytes, err := strconv.ParseInt(found(file, pattern), 10, 64)
	if err != nil {
		return 0
	}
	return kibibytes << 10
}

func found(file string, pattern *regexp.Regexp) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if match := pattern.FindSubmatch(content); match != nil {
		return string(match[1])
	}
	return ""
}

// describeMachine says where the run takes place, and of what.
func describeMachine(ctx context.Context, root string, admin *rest.Config, began time.Time) (result.Machine, error) {
	client, err := discovery.NewDiscoveryClientForConfig(admin)
	if err != nil {
		return result.Machine{}, err
	}
	kubernetes, err := client.ServerVersion()
	if err != nil {
		return result.Machine{}, err
	}
	describe := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*")
	describe.Dir = root
	commit, err := describe.Output()
	if err != nil {
		commit = []byte("unknown") // of an archive
	}
	return result.Machine{
		CPUs: runtime.NumCPU(), Model: found("/proc/cpuinfo", modelName), MemoryBytes: bytesIn("/proc/meminfo", totalMemory),
		Go: runtime.Version(), Kubernetes: kubernetes.GitVersion, Operator: strings.TrimSpace(string(commit)), Date: began.UTC().Format(time.RFC3339),
	}, nil
}
