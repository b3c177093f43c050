// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/clientidentity/operator/internal/authorizationconfig"
)

const (
	// webhookConfiguration is the name of the webhook's configuration, which has the CA of the operator's serving certificate for
	// everybody to see. The Secret has it too, beside the key.
	webhookConfiguration = "client-identity-operator"
	// clusterTimeout bounds each request.
	clusterTimeout = 15 * time.Second
	// instead ends messages about a cluster that cannot be asked.
	instead = "set --server and --certificate-authority, with which no cluster is asked"
)

// clusterOptions say which cluster is asked.
type clusterOptions struct {
	kubeconfig, context, namespace string
}

func (o *clusterOptions) bindFlags(flags *flag.FlagSet) {
	o.bindConnectionFlags(flags)
	flags.StringVar(&o.namespace, "namespace", "client-identity-system", "`name` of the namespace that the operator is installed in.")
}

func (o *clusterOptions) bindConnectionFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`file` with the kubeconfig of the cluster to ask. Empty means KUBECONFIG or ~/.kube/config.")
	flags.StringVar(&o.context, "context", "", "`name` of the context in it. Empty means the current one.")
}

// complete reads from the cluster what is missing, and refuses one whose API server would not take the files.
func (o *clusterOptions) complete(ctx context.Context, p *authorizationconfig.Parameters) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	if err := checkVersion(client); err != nil {
		return err
	}
	if p.Server == "" {
		service, err := client.CoreV1().Services(o.namespace).Get(ctx, authorizationconfig.Service, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("find the operator's address: %w: set --namespace to where it is installed, or %s", err, instead)
		}
		if !opens(service.Spec.Ports) {
			return fmt.Errorf("the Service %s/%s has no port %d: install config/overlays/authorization-webhook first", o.namespace, service.Name, authorizationconfig.Port)
		}
		if p.Server, err = authorizationconfig.ServiceURL(service.Spec.ClusterIP); err != nil {
			return err
		}
	}
	if len(p.CertificateAuthorityData) > 0 {
		return nil
	}
	webhook, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, webhookConfiguration, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("find the CA of the operator's serving certificate: %w: set --certificate-authority", err)
	}
	for i := range webhook.Webhooks {
		p.CertificateAuthorityData = webhook.Webhooks[i].ClientConfig.CABundle
	}
	if len(p.CertificateAuthorityData) == 0 {
		return fmt.Errorf("the ValidatingWebhookConfiguration %s has no CA yet: wait until the operator is ready, or set --certificate-authority", webhookConfiguration)
	}
	return nil
}

// opens says whether the Service has the port of the authorization webhook.
func opens(ports []corev1.ServicePort) bool {
	return slices.ContainsFunc(ports, func(port corev1.ServicePort) bool { return port.Port == authorizationconfig.Port })
}

// connection returns a connection to the cluster, as the caller.
func (o *clusterOptions) connection() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	connection, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w: set --kubeconfig or --context", err)
	}
	connection.Timeout = clusterTimeout
	return connection, nil
}

func (o *clusterOptions) client() (*kubernetes.Clientset, error) {
	connection, err := o.connection()
	if err != nil {
		return nil, fmt.Errorf("%w, or %s", err, instead)
	}
	return kubernetes.NewForConfig(connection)
}

// checkVersion refuses an API server that would not start with the files.
func checkVersion(client kubernetes.Interface) error {
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("ask the cluster for its version: %w: set --kubeconfig or --context, or %s", err, instead)
	}
	// Some providers add a plus.
	minor, err := strconv.Atoi(strings.TrimRight(version.Minor, "+"))
	if version.Major == "1" && err == nil && minor < authorizationconfig.MinimumMinor {
		return fmt.Errorf("the API server is %s: denying takes Kubernetes 1.%d, which has cacheAuthorizedRequests and cacheUnauthorizedRequests; with an older one it would not start",
			version.GitVersion, authorizationconfig.MinimumMinor)
	}
	return nil
}
