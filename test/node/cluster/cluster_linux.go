// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/controlplane"
)

const startBound = 2 * time.Minute

// Cluster is a control plane with one node.
type Cluster struct {
	*controlplane.ControlPlane
	dir      string
	bin      string
	progress func(format string, args ...any)
	parts    []*process
	// resumed is that it goes on from a state.
	resumed bool
}

// Start starts a control plane and a node, and waits until the node is ready. It works within Main, once: what it starts ends
// with the namespaces. Images are imported by what is called before the kubelet starts: pods that are there already would make it
// pull, and one that it has tried to pull it goes on pulling, imported or not.
func Start(ctx context.Context, options controlplane.Options, before ...func(context.Context, *Cluster) error) (*Cluster, error) {
	dir := os.Getenv(dirEnv)
	if os.Getenv(stageEnv) != stageTests {
		return nil, errors.New("a node runs in namespaces of its own: let TestMain call cluster.Main")
	}
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: bin, progress: options.Progress, resumed: options.State.Fill != nil}
	if c.progress == nil {
		c.progress = func(string, ...any) {}
	}
	containerd := make(chan error, 1)
	go func() { containerd <- c.startContainerd(ctx) }()

	options.Dir = c.path("control-plane")
	options.Nodes = &controlplane.Nodes{Address: Address, ServiceCIDR: serviceCIDR}
	c.ControlPlane, err = controlplane.Start(ctx, options)
	if err := errors.Join(err, <-containerd); err != nil {
		return nil, err
	}
	for _, do := range before {
		if err := do(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// join starts what makes a node of this machine.
func (c *Cluster) join(ctx context.Context) error {
	began := time.Now()
	if !c.resumed { // or it would tell kubeconfigs another address
		if err := c.PublishClusterInfo(ctx); err != nil {
			return err
		}
	}
	for _, start := range []func() (*process, error){c.startScheduler, c.startKubelet, c.startProxy} {
		part, err := start()
		if err != nil {
			return err
		}
		c.parts = append(c.parts, part)
	}
	admin, err := client.New(c.Config(), client.Options{})
	if err != nil {
		return err
	}
	kubelet := c.parts[1]
	err = c.poll(ctx, "the node is ready", kubelet, func(ctx context.Context) error {
		node := &corev1.Node{}
		if err := admin.Get(ctx, client.ObjectKey{Name: NodeName}, node); err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type != corev1.NodeReady {
				continue
			}
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return errors.New(condition.Message)
		}
		return errors.New("it has no such condition yet")
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(kubelet.log, 30))
	}
	c.progress("%s is ready after %s", NodeName, time.Since(began).Round(time.Millisecond))
	return nil
}

// poll waits until a condition returns no error, as long as a process runs.
func (c *Cluster) poll(ctx context.Context, what string, process *process, condition func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, startBound, true, func(ctx context.Context) (bool, error) {
		if err := process.ended(); err != nil {
			return false, err
		}
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s: %w", what, errors.Join(err, last))
	}
	return nil
}

// path is one in the directory of the node.
func (c *Cluster) path(names ...string) string {
	return filepath.Join(append([]string{c.dir}, names...)...)
}

func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
