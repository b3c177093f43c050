// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/internal/webhook"
)

const (
	// defaultNamespace is where config/default installs the operator.
	defaultNamespace = "client-identity-system"
	// namespaceFile names the namespace of the pod that a process runs in.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// WebhookOptions say whether and how requests for identities are checked.
type WebhookOptions struct {
	// Enabled checks that whoever asks for an identity holds what it gives.
	Enabled bool
	// Port is the port that the webhook is served on.
	Port int
	// CertDir is where its serving certificate is mounted.
	CertDir string
	// CertRotation makes, renews and publishes that certificate.
	CertRotation bool
	// Namespace is where its Service and Secret are; empty means the namespace that the operator runs in.
	Namespace string
}

func (o *WebhookOptions) bindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.Enabled, "enable-webhooks", o.Enabled,
		"Check that whoever asks for an identity holds what it gives. Without it, and without other admission control in its place, "+
			"whoever may create ClientIdentities can become anybody.")
	flags.IntVar(&o.Port, "webhook-port", o.Port, "Port that the admission webhook is served on.")
	flags.StringVar(&o.CertDir, "webhook-cert-dir", o.CertDir,
		"Directory with the webhook's serving certificate, tls.crt and tls.key: where the Secret "+webhook.SecretName+" is mounted.")
	flags.BoolVar(&o.CertRotation, "webhook-cert-rotation", o.CertRotation,
		"Make and renew the webhook's serving certificate in that Secret, and write its CA into the webhook's configuration. "+
			"Set it to false where something else does, such as cert-manager.")
	flags.StringVar(&o.Namespace, "webhook-namespace", o.Namespace,
		"Namespace of the webhook's Service and Secret. Empty means the namespace that the operator runs in, and "+defaultNamespace+" outside a cluster.")
}

func (o *WebhookOptions) validate() error {
	if !o.Enabled {
		return nil
	}
	var errs []error
	if o.Port < 1 || o.Port > 65535 {
		errs = append(errs, fmt.Errorf("--webhook-port %d must be between 1 and 65535", o.Port))
	}
	if o.CertDir == "" {
		errs = append(errs, errors.New("--webhook-cert-dir must be set with --enable-webhooks"))
	}
	return errors.Join(errs...)
}

// addWebhook adds the admission webhook, or warns that there is none.
func addWebhook(mgr ctrl.Manager, live client.Client, counting func(admission.Handler) admission.Handler, options Options) error {
	if !options.Webhook.Enabled {
		mgr.GetLogger().Info("WARNING: the admission webhook is off (--enable-webhooks=false): unless other admission control stands in its " +
			"place, whoever may create ClientIdentities can become anybody, administrators included")
		return nil
	}
	namespace := options.Webhook.Namespace
	if namespace == "" {
		namespace = ownNamespace(options.InCluster)
	}
	return webhook.Add(mgr, live, webhook.Options{
		Port:                   options.Webhook.Port,
		CertDir:                options.Webhook.CertDir,
		Rotate:                 options.Webhook.CertRotation,
		Namespace:              namespace,
		DefaultSecretNamespace: options.DefaultSecretNamespace,
		Counting:               counting,
	})
}

// ownNamespace returns the namespace that the operator runs in.
func ownNamespace(inCluster bool) string {
	if inCluster {
		if content, err := os.ReadFile(namespaceFile); err == nil && len(content) > 0 {
			return strings.TrimSpace(string(content))
		}
	}
	return defaultNamespace
}
