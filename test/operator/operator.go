// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package operator installs the operator into a control plane and runs it there: as its shipped ServiceAccount,
// with its shipped rights, so that a missing right fails a test.
package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
)

const (
	// Namespace is where the operator is installed.
	Namespace = "client-identity-system"
	// ServiceAccount is whom it runs as.
	ServiceAccount = "client-identity-operator"
	// Username is its user name, as audit events have it.
	Username = "system:serviceaccount:" + Namespace + ":" + ServiceAccount
	// SecretNamespace is where it publishes Secrets by default.
	SecretNamespace = "client-identities"

	// tokenLifetime is longer than any test runs.
	tokenLifetime = 12 * time.Hour
)

// Root returns the root directory of the repository, found from the working directory upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in this directory or above it")
		}
		dir = parent
	}
}

// Install installs what config/default ships, as an administrator does: kubectl apply -k. The Deployment's
// pods never run, since the control plane has no nodes, so the configuration of the admission webhook is left out, which
// would refuse every identity: see UseWebhook.
func Install(ctx context.Context, cp *controlplane.ControlPlane) error {
	if err := ApplyWithoutWebhook(ctx, cp, "config/default"); err != nil {
		return err
	}
	// The garbage collector looks for new kinds of owners at its start, and then only every half a minute.
	return cp.RestartComponent(ctx, controlplane.ControllerManager)
}

// ApplyWithoutWebhook applies a folder of the repository that has a kustomization.yaml, but for the configuration of the
// admission webhook.
func ApplyWithoutWebhook(ctx context.Context, cp *controlplane.ControlPlane, folder string) error {
	manifests, err := Render(ctx, cp, folder)
	if err != nil {
		return err
	}
	if _, err := Kubectl(ctx, cp, strings.NewReader(WithoutWebhook(manifests)), "apply", "-f", "-"); err != nil {
		return fmt.Errorf("apply %s: %w", folder, err)
	}
	return nil
}

// WithoutWebhook returns rendered manifests but for the configuration of the admission webhook.
func WithoutWebhook(manifests string) string {
	const separator = "---\n"
	return strings.Join(slices.DeleteFunc(strings.Split(manifests, separator), func(object string) bool {
		return strings.Contains(object, "\nkind: ValidatingWebhookConfiguration\n")
	}), separator)
}

// Render returns the manifests of a folder of the repository that has a kustomization.yaml.
func Render(ctx context.Context, cp *controlplane.ControlPlane, folder string) (string, error) {
	manifests, err := Kubectl(ctx, cp, nil, "kustomize", folder)
	if err != nil {
		return "", fmt.Errorf("kubectl kustomize %s: %w", folder, err)
	}
	return string(manifests), nil
}

// Apply applies a folder of the repository that has a kustomization.yaml.
func Apply(ctx context.Context, cp *controlplane.ControlPlane, folder string) error {
	if _, err := Kubectl(ctx, cp, nil, "apply", "-k", folder); err != nil {
		return fmt.Errorf("kubectl apply -k %s: %w", folder, err)
	}
	return nil
}

// Delete deletes what Apply applied.
func Delete(ctx context.Context, cp *controlplane.ControlPlane, folder string) error {
	if _, err := Kubectl(ctx, cp, nil, "delete", "-k", folder); err != nil {
		return fmt.Errorf("kubectl delete -k %s: %w", folder, err)
	}
	return nil
}

// Kubectl runs kubectl as an administrator, in the root directory of the repository, and returns what it prints.
func Kubectl(ctx context.Context, cp *controlplane.ControlPlane, input io.Reader, args ...string) ([]byte, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, cp.Kubectl(), append([]string{"--kubeconfig", cp.Kubeconfig()}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOME="+cp.Dir())
	cmd.Stdin = input
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, problems.Bytes())
	}
	return out.Bytes(), nil
}

// Connection returns a connection as the operator's ServiceAccount, with a token for it.
func Connection(ctx context.Context, cp *controlplane.ControlPlane) (*rest.Config, error) {
	admin, err := kubernetes.NewForConfig(cp.Config())
	if err != nil {
		return nil, err
	}
	token, err := admin.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, ServiceAccount, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLifetime.Seconds()))},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create a token for ServiceAccount %s/%s: %w", Namespace, ServiceAccount, err)
	}
	connection := rest.AnonymousClientConfig(cp.Config())
	connection.BearerToken = token.Status.Token
	return connection, nil
}

// WriteKubeconfig writes a kubeconfig for a connection with a token: for an operator in a process of its own.
func WriteKubeconfig(path string, connection *rest.Config) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["kubernetes"] = &clientcmdapi.Cluster{Server: connection.Host, CertificateAuthorityData: connection.CAData, CertificateAuthority: connection.CAFile}
	config.AuthInfos["operator"] = &clientcmdapi.AuthInfo{Token: connection.BearerToken}
	config.Contexts["operator"] = &clientcmdapi.Context{Cluster: "kubernetes", AuthInfo: "operator"}
	config.CurrentContext = "operator"
	return clientcmd.WriteToFile(*config, path)
}

// Running is an operator that runs in this process.
type Running struct {
	cancel context.CancelFunc
	done   chan error
}

// Start runs the operator in this process and waits until its caches are filled. Configure may change its
// options; nil keeps the defaults, without metrics, probes, leader election and webhook.
func Start(ctx context.Context, connection *rest.Config, configure func(*manager.Options)) (*Running, error) {
	options := manager.DefaultOptions()
	options.HealthProbeBindAddress = "0"
	options.Webhook.Enabled = false
	if configure != nil {
		configure(&options)
	}
	ctx, cancel := context.WithCancel(ctx)
	mgr, err := manager.New(ctx, connection, options)
	if err != nil {
		cancel()
		return nil, err
	}
	running := &Running{cancel: cancel, done: make(chan error, 1)}
	go func() { running.done <- mgr.Start(ctx) }()
	select {
	case err := <-running.done:
		cancel()
		return nil, fmt.Errorf("the operator ended: %w", err)
	case <-mgr.Elected():
	}
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.Join(errors.New("the caches were not filled"), running.Stop())
	}
	return running, nil
}

// Stop stops the operator and returns what it ended with.
func (r *Running) Stop() error {
	r.cancel()
	return <-r.done
}
