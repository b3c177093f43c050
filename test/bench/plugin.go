// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/machine"
	"github.com/clientidentity/operator/test/controlplane"
)

const (
	pluginIdentity = "bench"
	pluginUID      = "00000000-0000-4000-8000-000000000000"
)

// execPlugin measures what the exec plugin adds to a call of kubectl that renews nothing: calls with a kubeconfig that has certificate and key in it, and
// with one that asks the plugin for the same, in turn.
func execPlugin(ctx context.Context, calls int) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	plain, self, err := prepareExec(ctx, cp, dir)
	if err != nil {
		return err
	}
	var without, with []call
	for range calls {
		a, err := callKubectl(ctx, cp, dir, plain)
		if err != nil {
			return err
		}
		b, err := callKubectl(ctx, cp, dir, self)
		if err != nil {
			return err
		}
		without, with = append(without, a), append(with, b)
	}
	fmt.Printf("kubectl get --raw /version, %d calls each, in turn; medians\n", calls)
	compare("from start to end", without, with, func(c call) time.Duration { return c.took })
	compare("of the processor", without, with, func(c call) time.Duration { return c.cpu })
	return nil
}

// call is what a call of kubectl took: time, and time of the processor, which other processes do not make longer.
type call struct{ took, cpu time.Duration }

// compare prints the medians of calls without and with the plugin, their ratio, and the median of what each call took more.
func compare(what string, without, with []call, of func(call) time.Duration) {
	var more []time.Duration
	for i := range without {
		more = append(more, of(with[i])-of(without[i]))
	}
	rounded := func(d float64) time.Duration { return time.Duration(d).Round(time.Millisecond / 10) }
	number := func(c call) float64 { return float64(of(c)) }
	a, b := median(without, number), median(with, number)
	fmt.Printf("  time %s: %s with the key in the kubeconfig, %s with the exec plugin: ratio %.2f, %s more\n",
		what, rounded(a), rounded(b), b/a, rounded(median(more, func(d time.Duration) float64 { return float64(d) })))
}

// prepareExec builds the plugin, and makes the two kubeconfigs of one user.
func prepareExec(ctx context.Context, cp *controlplane.ControlPlane, dir string) (plain, self string, err error) {
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, kubeconfig.Plugin), "github.com/clientidentity/operator/cmd/kubectl-clientidentity")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", "", err
	}
	config, err := cp.ConfigFor(pluginIdentity)
	if err != nil {
		return "", "", err
	}
	p := kubeconfig.Parameters{Server: config.Host, ClusterName: "bench", ContextName: "bench", CertificateAuthorityData: config.CAData}
	if err := keepOnMachine(config, p, dir); err != nil {
		return "", "", err
	}
	for name, user := range map[string]*clientcmdapi.AuthInfo{
		"plain": {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData},
		"self":  kubeconfig.ExecUser(pluginIdentity, pluginUID),
	} {
		content := clientcmdapi.NewConfig()
		if err := kubeconfig.Merge(content, content, kubeconfig.Merging{Parameters: p, User: user}); err != nil {
			return "", "", err
		}
		if err := clientcmd.WriteToFile(*content, filepath.Join(dir, name)); err != nil {
			return "", "", err
		}
	}
	return filepath.Join(dir, "plain"), filepath.Join(dir, "self"), nil
}

// keepOnMachine makes the machine an enrolled one.
func keepOnMachine(config *rest.Config, p kubeconfig.Parameters, dir string) error {
	folder, err := machine.NewStore(dir, machine.OSFiles{}).Folder(pluginUID)
	if err != nil {
		return err
	}
	if err := folder.Make(); err != nil {
		return err
	}
	return folder.Save(&machine.Record{
		Identity: pluginIdentity, UID: pluginUID, Device: "bench", Source: v1alpha1.SourceHolder, Cluster: p,
		Current: &machine.Credential{Certificate: string(config.CertData), Key: string(config.KeyData)},
	})
}

// callKubectl calls kubectl.
func callKubectl(ctx context.Context, cp *controlplane.ControlPlane, dir, kubeconfigFile string) (call, error) {
	cmd := exec.CommandContext(ctx, cp.Kubectl(), "--kubeconfig", kubeconfigFile, "get", "--raw", "/version")
	cmd.Env = []string{"HOME=" + dir, "PATH=" + dir, machine.HomeVariable + "=" + dir}
	began := time.Now()
	if output, err := cmd.CombinedOutput(); err != nil {
		return call{}, fmt.Errorf("kubectl: %w: %s", err, output)
	}
	return call{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil // that of the plugin included
}
