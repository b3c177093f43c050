// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/operator"
)

// processOf finds the manager of a pod among the node's processes, which this one sees.
func processOf(pod corev1.Pod) int {
	GinkgoHelper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range environments {
		// The environment has the pod's name as that of its host; processes may end meanwhile.
		content, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(content, []byte("HOSTNAME="+pod.Name+"\x00")) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || !bytes.Contains(command, []byte("--leader-elect")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		Expect(err).NotTo(HaveOccurred())
		return pid
	}
	Fail("no process of pod " + pod.Name)
	return 0
}

// kernelSays returns lines of a file that the kernel has about a process.
func kernelSays(pid int, name string) []string {
	GinkgoHelper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	Expect(err).NotTo(HaveOccurred())
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// leader returns who holds the lease of the operator, which begins with the name of its pod.
func leader() string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: deploymentName}, lease)).To(Succeed())
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// leaderPod returns the pod of the one that works.
func leaderPod() corev1.Pod {
	GinkgoHelper()
	var found corev1.Pod
	Eventually(func() bool {
		holder := leader()
		for _, pod := range operatorPods() {
			if strings.HasPrefix(holder, pod.Name+"_") {
				found = pod
				return true
			}
		}
		return false
	}).Should(BeTrue(), "the leader is one of the pods")
	return found
}

// peakMemory returns how many bytes of its limit a pod has used at most, as its cgroup says. It is for reading only.
func peakMemory(pod corev1.Pod) string {
	uid := string(pod.UID)
	for _, pattern := range []string{"memory/*/kubepods/*/pod" + uid + "/memory.max_usage_in_bytes", "*/kubepods/*/pod" + uid + "/memory.peak"} {
		files, _ := filepath.Glob("/sys/fs/cgroup/" + pattern) // the pattern is well formed
		for _, file := range files {
			content, err := os.ReadFile(file)
			if size, errParse := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && errParse == nil {
				return fmt.Sprintf("%d MiB", size>>20)
			}
		}
	}
	return "unknown"
}
