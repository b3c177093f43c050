// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const (
	// NodeName is the name of the node.
	NodeName = "node1"
	// Address is the node's, at which the API server listens, too.
	Address = "192.168.77.1"

	nodeDevice  = "node0"
	serviceCIDR = "10.0.0.0/24" // kube-apiserver's own, so that a state of test/upgrade has it, too
	podCIDR     = "10.88.0.0/24"
)

// prepareNetwork gives the network namespace one device with the node's address. Nothing gets out: a default route is there only
// so that the addresses of Services have one, until kube-proxy turns them into those of pods.
func prepareNetwork() error {
	for _, command := range []string{
		"link set lo up",
		"link add " + nodeDevice + " type bridge",
		"address add " + Address + "/24 dev " + nodeDevice,
		"link set " + nodeDevice + " up",
		"route add default dev " + nodeDevice + " src " + Address,
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// podNetwork is the configuration of the CNI plugins. Each pod has a link of its own to the node: what pods send each other passes
// the node, where Services are.
func podNetwork(dir string) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []any{map[string]any{
			"type": "ptp",
			"ipam": map[string]any{
				"type":    "host-local",
				"dataDir": dir,
				"ranges":  []any{[]any{map[string]any{"subnet": podCIDR}}},
				"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}
