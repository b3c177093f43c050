// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

//go:embed surroundings.yaml
var surroundings string

// name is that of the operator's objects.
const name = "client-identity-operator"

// install installs the release, but for the configuration of its webhook, which nobody could answer: there are no pods.
func (g *generator) install(ctx context.Context) error {
	var err error
	if g.admin, err = client.New(g.cp.Config(), client.Options{Scheme: manager.Scheme()}); err != nil {
		return err
	}
	server, err := discovery.NewDiscoveryClientForConfig(g.cp.Config())
	if err != nil {
		return err
	}
	version, err := server.ServerVersion()
	if err != nil {
		return err
	}
	g.Kubernetes = version.GitVersion
	if g.manifests, err = operator.Render(ctx, g.cp, filepath.Join(g.source, fixture.Overlay)); err != nil {
		return err
	}
	if err := g.publishServer(ctx); err != nil {
		return err
	}
	if err := g.apply(ctx, surroundings); err != nil {
		return err
	}
	return g.apply(ctx, operator.WithoutWebhook(g.manifests))
}

// publishServer tells the API server's URL as kubeadm does: one that is the same wherever the fixture comes back to life.
func (g *generator) publishServer(ctx context.Context) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[""] = &clientcmdapi.Cluster{Server: fixture.Server, CertificateAuthorityData: g.cp.ServerCA()}
	info, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return eventually(ctx, "publish the server", func(ctx context.Context) error {
		return g.admin.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: "cluster-info"},
			Data:       map[string]string{"kubeconfig": string(info)},
		})
	})
}

// guard lets the release make the certificate of its webhook, and write its CA into the configuration.
func (g *generator) guard(ctx context.Context) error {
	if err := g.apply(ctx, g.manifests); err != nil {
		return err
	}
	return g.while(ctx, []string{"--webhook-namespace=" + operator.Namespace}, func() error {
		return eventually(ctx, "the webhook's CA is written", func(ctx context.Context) error {
			configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
			if err := g.admin.Get(ctx, client.ObjectKey{Name: name}, configuration); err != nil {
				return err
			}
			if len(configuration.Webhooks[0].ClientConfig.CABundle) == 0 {
				return fmt.Errorf("clientConfig.caBundle is empty")
			}
			return nil
		})
	})
}

// while does something while the release's operator runs, as its ServiceAccount.
func (g *generator) while(ctx context.Context, flags []string, do func() error) error {
	connection, err := operator.Connection(ctx, g.cp)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(g.work, "operator.kubeconfig")
	if err := operator.WriteKubeconfig(kubeconfig, connection); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(g.work, "operator.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	process := exec.CommandContext(ctx, g.binary(), append(flags, "--kubeconfig="+kubeconfig, "--health-probe-bind-address=0",
		"--leader-elect", "--leader-election-namespace="+operator.Namespace, "--secret-namespaces="+operator.SecretNamespace+",team-a")...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return err
	}
	done := do()
	if done != nil {
		content, _ := os.ReadFile(log.Name())
		done = fmt.Errorf("%w\n%s", done, content)
	}
	// It gives its Lease back.
	_ = process.Process.Signal(syscall.SIGTERM)
	_ = process.Wait()
	return done
}

func (g *generator) apply(ctx context.Context, objects string) error {
	_, err := operator.Kubectl(ctx, g.cp, strings.NewReader(objects), "apply", "-f", "-")
	return err
}

// eventually calls a function until it returns no error.
func eventually(ctx context.Context, what string, try func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = try(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, err, last)
	}
	return nil
}
