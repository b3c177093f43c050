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
	var without, with, differences []time.Duration
	for range calls {
		a, err := callKubectl(ctx, cp, dir, plain)
		if err != nil {
			return err
		}
		b, err := callKubectl(ctx, cp, dir, self)
		if err != nil {
			return err
		}
		without, with, differences = append(without, a), append(with, b), append(differences, b-a)
	}
	fmt.Printf("kubectl get --raw /version, %d calls each, in turn\n", calls)
	fmt.Printf("  with the key in the kubeconfig: median %s\n", medianTime(without).Round(time.Millisecond/10))
	fmt.Printf("  asking the exec plugin for it:  median %s\n", medianTime(with).Round(time.Millisecond/10))
	fmt.Printf("  ratio of the medians %.2f, median of the differences %s\n", float64(medianTime(with))/float64(medianTime(without)), medianTime(differences).Round(time.Millisecond/10))
	if limit := 50 * time.Millisecond; medianTime(differences) >= limit {
		return fmt.Errorf("the plugin adds more than %s", limit)
	}
	return nil
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

// callKubectl returns how long a call takes.
func callKubectl(ctx context.Context, cp *controlplane.ControlPlane, dir, kubeconfigFile string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, cp.Kubectl(), "--kubeconfig", kubeconfigFile, "get", "--raw", "/version")
	cmd.Env = []string{"HOME=" + dir, "PATH=" + dir, machine.HomeVariable + "=" + dir}
	began := time.Now()
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("kubectl: %w: %s", err, output)
	}
	return time.Since(began), nil
}

func medianTime(of []time.Duration) time.Duration {
	return time.Duration(median(of, func(d time.Duration) float64 { return float64(d) }))
}
