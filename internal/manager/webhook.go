// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/internal/serving"
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
	// CertDir holds its serving certificate, where something else than the Secret does.
	CertDir string
	// CertRotation makes, renews and publishes that certificate.
	CertRotation bool
	// Namespace is where its Service and Secret are; empty means the namespace that the operator runs in.
	Namespace string
	// Drain is how long reviews are still taken when the operator ends; not a flag. The API server keeps a connection open after its
	// last review, and may send the next one on it just when it is closed: the longer it had no use for it, the less likely that is.
	Drain time.Duration
}

func (o *WebhookOptions) bindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.Enabled, "enable-webhooks", o.Enabled,
		"Check that whoever asks for an identity holds what it gives. Without it, and without other admission control in its place, "+
			"whoever may create ClientIdentities can become anybody.")
	flags.IntVar(&o.Port, "webhook-port", o.Port, "Port that the admission webhook is served on.")
	flags.StringVar(&o.CertDir, "webhook-cert-dir", o.CertDir,
		"Directory with the serving certificate, tls.crt and tls.key, where something else keeps them. "+
			"Empty means the Secret "+serving.SecretName+", as the API server has it: it needs no mount.")
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
	if o.Port < 1 || o.Port > 65535 {
		return fmt.Errorf("--webhook-port %d must be between 1 and 65535", o.Port)
	}
	return nil
}

// addCertificate adds what keeps the certificate that the webhook and the endpoints are served with; nil where there are none.
func addCertificate(mgr ctrl.Manager, live client.Client, options Options) (serving.Certificate, error) {
	if !options.Webhook.Enabled && options.Audit.BindAddress == off && options.Authorization.BindAddress == off {
		return nil, nil
	}
	source := serving.Source{
		Directory: options.Webhook.CertDir,
		Namespace: cmp.Or(options.Webhook.Namespace, ownNamespace(options.InCluster)),
		Rotate:    options.Webhook.CertRotation && (options.Webhook.Enabled || options.Webhook.CertDir == ""),
		Lag:       options.APIServerLag,
		Clock:     clock.RealClock{}, // that of certificates which others check
	}
	if options.Webhook.Enabled {
		source.Configuration = webhook.ConfigurationName
	}
	return serving.Add(mgr, live, source)
}

// addWebhook adds the admission webhook, or warns that there is none.
func addWebhook(mgr ctrl.Manager, live client.Client, certificate serving.Certificate, counting func(admission.Handler) admission.Handler, options Options) error {
	if !options.Webhook.Enabled {
		mgr.GetLogger().Info("WARNING: the admission webhook is off (--enable-webhooks=false): unless other admission control stands in its " +
			"place, whoever may create ClientIdentities can become anybody, administrators included")
		return nil
	}
	return webhook.Add(mgr, live, webhook.Options{
		Port:                   options.Webhook.Port,
		Certificate:            certificate,
		Drain:                  options.Webhook.Drain,
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
