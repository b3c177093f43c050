// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// reportLines bound each part of a report.
const reportLines = 80

// Report says what was seen: pods and what became of them, events, the ends of the logs. It never reads a Secret.
func (c *Cluster) Report(ctx context.Context) string {
	var report strings.Builder
	add := func(title, content string) {
		lines := strings.Split(strings.TrimRight(content, "\n"), "\n")
		if len(lines) > reportLines {
			lines = append([]string{fmt.Sprintf("(%d lines before)", len(lines)-reportLines)}, lines[len(lines)-reportLines:]...)
		}
		fmt.Fprintf(&report, "\n--- %s\n%s\n", title, strings.Join(lines, "\n"))
	}
	ask := func(args ...string) {
		cmd := exec.CommandContext(ctx, c.Kubectl(), append([]string{"--kubeconfig", c.Kubeconfig()}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append(out, err.Error()...)
		}
		add("kubectl "+strings.Join(args, " "), string(out))
	}
	ask("get", "nodes,pods,deployments,replicasets,endpointslices,poddisruptionbudgets,leases", "--all-namespaces", "-o", "wide")
	ask("describe", "pods", "--all-namespaces")
	ask("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")
	logs, _ := filepath.Glob(c.path("pod-logs", "*", "*", "*.log")) // the pattern is well formed
	for _, log := range logs {
		add(log, tail(log, reportLines))
	}
	for _, part := range c.parts {
		add(part.name, tail(part.log, 20))
	}
	return report.String()
}
