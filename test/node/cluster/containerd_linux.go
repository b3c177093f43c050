// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const containerdSocket = "/run/containerd/containerd.sock"

// startContainerd starts containerd and waits until it answers.
func (c *Cluster) startContainerd(ctx context.Context) error {
	plugins, err := pluginDir()
	if err != nil {
		return err
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	if err := writeJSON(c.path("cni", "10-pods.conflist"), podNetwork(c.path("cni-addresses"))); err != nil {
		return err
	}
	config := c.path("containerd.toml")
	// Without AppArmor's profiles, which another container engine of the machine may have loaded or not.
	text := fmt.Sprintf(`version = 3
root = %q
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']
[grpc]
address = '%s'
[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '%s'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
disable_apparmor = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = [%q]
conf_dir = %q
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = %q
SystemdCgroup = false
`, c.path("containerd"), containerdSocket, pauseImage, plugins, c.path("cni"), runc)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	containerd, err := c.run("containerd", "--config", config)
	if err != nil {
		return err
	}
	if err := c.poll(ctx, "containerd answers", containerd, func(ctx context.Context) error {
		out, err := c.ctr(ctx, "version")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}); err != nil {
		return err
	}
	archive := c.path("pause.tar")
	if err := writeImage(archive, pauseImage, filepath.Join(c.bin, "pause")); err != nil {
		return err
	}
	return c.ImportImage(ctx, archive)
}
