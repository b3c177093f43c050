// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// startScheduler starts the scheduler.
func (c *Cluster) startScheduler() (*process, error) {
	kubeconfig := c.path("scheduler.kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, "system:kube-scheduler"); err != nil {
		return nil, err
	}
	return c.run("kube-scheduler", "--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0")
}

// startKubelet starts the kubelet, as the user that a node is.
func (c *Cluster) startKubelet() (*process, error) {
	kubeconfig := c.path("kubelet.kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, "system:node:"+NodeName, "system:nodes"); err != nil {
		return nil, err
	}
	cert, key, err := c.ServerCertificate(NodeName, Address)
	if err != nil {
		return nil, err
	}
	certFile, keyFile := c.path("kubelet.crt"), c.path("kubelet.key")
	for file, content := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, err
		}
	}
	config := c.path("kubelet.yaml")
	if err := writeYAML(config, object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"failCgroupV1": false,
		"cgroupDriver": "cgroupfs", "cgroupRoot": "/" + os.Getenv(cgroupEnv),
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"authentication": object{
			"anonymous": object{"enabled": false}, "webhook": object{"enabled": true}, "x509": object{"clientCAFile": c.ClientCAFile()},
		},
		"authorization": object{"mode": "Webhook"},
		"tlsCertFile":   certFile, "tlsPrivateKeyFile": keyFile,
		"failSwapOn": false,
		"resolvConf": "",
		"podLogsDir": c.path("pod-logs"),
		// The machine's disks are not the node's, and it is small.
		"evictionHard": object{
			"memory.available": "50Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
		"makeIPTablesUtilChains":      false,
		"oomScoreAdj":                 0,
	}); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.path("kubelet"), 0o755); err != nil {
		return nil, err
	}
	return c.run("kubelet", "--config="+config, "--kubeconfig="+kubeconfig, "--root-dir="+c.path("kubelet"),
		"--hostname-override="+NodeName, "--node-ip="+Address, "--v=2")
}

// startProxy starts kube-proxy, which turns the addresses of Services into those of pods.
func (c *Cluster) startProxy() (*process, error) {
	kubeconfig, config := c.path("proxy.kubeconfig"), c.path("proxy.yaml")
	if err := c.WriteKubeconfig(kubeconfig, "system:kube-proxy"); err != nil {
		return nil, err
	}
	if err := writeYAML(config, object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode":             "nftables",
		"hostnameOverride": NodeName,
		"clientConnection": object{"kubeconfig": kubeconfig},
		"clusterCIDR":      podCIDR,
		// Those of the whole machine stay as they are.
		"conntrack":   object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
		"oomScoreAdj": 0,
	}); err != nil {
		return nil, err
	}
	return c.run("kube-proxy", "--config="+config, "--v=2")
}

func writeYAML(path string, value any) error {
	content, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, content, 0o600)
}
