// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package manager wires the operator together: options, caches, clients and the controller.
package manager

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/internal/secret"
)

// Options are what the operator is started with. Each one has a flag (BindFlags), but for those that say so,
// InCluster, Version and Clock.
type Options struct {
	// MetricsBindAddress is where metrics are served; "0" turns them off.
	MetricsBindAddress string
	// MetricsSecure serves metrics over HTTPS to authenticated and authorized clients only.
	MetricsSecure bool
	// HealthProbeBindAddress is where /healthz and /readyz are served; "0" turns them off.
	HealthProbeBindAddress string
	// LeaderElect lets only one of several replicas work.
	LeaderElect bool
	// LeaderElectionNamespace is where the lease is; empty means the namespace that the operator runs in.
	LeaderElectionNamespace string

	// SecretNamespaces are the namespaces that Secrets may be published in; secret.AllNamespaces alone means every one.
	SecretNamespaces []string
	// DefaultSecretNamespace is used where spec.secret.namespace is empty.
	DefaultSecretNamespace string
	// KubeconfigServer is the URL of the API server in kubeconfigs.
	KubeconfigServer string
	// KubeconfigCAFile is a file with the CA bundle (PEM) for that URL.
	KubeconfigCAFile string
	// ClusterName names the cluster in kubeconfigs.
	ClusterName string
	// MaxTTL bounds the lifetime asked of signers; zero means no bound.
	MaxTTL time.Duration
	// AllowedSigners are the signers that certificates may be asked of.
	AllowedSigners []string
	// ConcurrentReconciles is how many identities are reconciled at a time.
	ConcurrentReconciles int
	// Webhook says how requests for identities are checked.
	Webhook WebhookOptions
	// Audit says whether the API server tells of the use of certificates.
	Audit AuditOptions
	// Authorization says whether the API server asks which certificates to deny.
	Authorization AuthorizationOptions

	// Version is the version of the operator, for the metrics.
	Version string
	// InCluster is set where the operator runs in a pod of the cluster that it works for.
	InCluster bool
	// IssuerInterval is how often one credential of each CA is proven; not a flag.
	IssuerInterval time.Duration
	// APIServerLag is how far API servers may be behind with role bindings: as long the next kubeconfig waits after a revocation,
	// where its holder may read it; not a flag.
	APIServerLag time.Duration
	// Spread is the time over which many identities are spread that have the same reason to act; not a flag.
	Spread time.Duration
	// Clock tells the time; nil means the real one.
	Clock clock.PassiveClock
	// SlowLook is how often to look whether a conflict is gone that no watch tells of; zero means every minute.
	// It has no flag: tests are in a hurry.
	SlowLook time.Duration
}

// DefaultOptions returns the options without any flag.
func DefaultOptions() Options {
	return Options{
		MetricsBindAddress:     "0",
		MetricsSecure:          true,
		HealthProbeBindAddress: ":8081",
		SecretNamespaces:       []string{"client-identities"},
		DefaultSecretNamespace: "client-identities",
		ClusterName:            "kubernetes",
		AllowedSigners:         []string{certificatesv1.KubeAPIServerClientSignerName},
		ConcurrentReconciles:   16,
		Webhook: WebhookOptions{
			Enabled:      true,
			Port:         9443,
			CertRotation: true,
			Drain:        5 * time.Second,
		},
		Audit:          AuditOptions{BindAddress: off, Interval: time.Hour, Silence: time.Hour},
		Authorization:  AuthorizationOptions{BindAddress: off, Interval: time.Minute},
		IssuerInterval: 10 * time.Minute,
		APIServerLag:   5 * time.Second,
		Spread:         10 * time.Minute,
	}
}

// BindFlags adds a flag for each option; the values of o are the defaults.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress,
		`Address that metrics are served on, such as :8443; "0" turns them off.`)
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure,
		"Serve metrics over HTTPS, to clients that the API server authenticates and authorizes to get /metrics.")
	flags.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress,
		`Address that /healthz and /readyz are served on; "0" turns them off.`)
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect,
		"Elect a leader, so that of several replicas one works and the others stand by.")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", o.LeaderElectionNamespace,
		"Namespace of the leader election's lease. Empty means the namespace that the operator runs in; it must be set outside a cluster.")
	flags.Func("secret-namespaces", fmt.Sprintf("Comma-separated `namespaces` that Secrets may be published in, or * for all. The operator "+
		"needs a Role for Secrets in each, or a ClusterRole. (default %q)", strings.Join(o.SecretNamespaces, ",")), func(value string) error {
		o.SecretNamespaces = splitList(value)
		return nil
	})
	flags.StringVar(&o.DefaultSecretNamespace, "default-secret-namespace", o.DefaultSecretNamespace,
		"Namespace of the Secret of identities whose spec.secret.namespace is empty. It must be one of --secret-namespaces.")
	flags.StringVar(&o.KubeconfigServer, "kubeconfig-server", o.KubeconfigServer,
		"URL of the API server in published kubeconfigs, such as https://api.example.com:6443. Empty means the one in the ConfigMap "+
			"kube-public/cluster-info or, outside a cluster, the operator's own.")
	flags.StringVar(&o.KubeconfigCAFile, "kubeconfig-certificate-authority", o.KubeconfigCAFile,
		"File with the CA bundle (PEM) in published kubeconfigs. Empty means the cluster's own.")
	flags.StringVar(&o.ClusterName, "cluster-name", o.ClusterName,
		"Name of the cluster in published kubeconfigs. Contexts and users are named <identity>@<cluster name>.")
	flags.DurationVar(&o.MaxTTL, "max-ttl", o.MaxTTL,
		"Longest certificate lifetime asked of a signer, such as 2160h, whatever an identity's spec.ttl says. 0 means no bound.")
	flags.Func("allowed-signers", fmt.Sprintf("Comma-separated `signers` that certificates may be asked of. The operator needs the right to "+
		"approve for each. (default %q)", strings.Join(o.AllowedSigners, ",")), func(value string) error {
		o.AllowedSigners = splitList(value)
		return nil
	})
	flags.IntVar(&o.ConcurrentReconciles, "concurrent-reconciles", o.ConcurrentReconciles,
		"How many identities are reconciled at a time.")
	o.Webhook.bindFlags(flags)
	o.Audit.bindFlags(flags)
	o.Authorization.bindFlags(flags)
}

// Validate returns what is wrong with the options, all of it, in terms of the flags.
func (o *Options) Validate() error {
	var errs []error
	errs = append(errs, o.validateSecretNamespaces()...)
	if o.KubeconfigServer != "" {
		if u, err := url.Parse(o.KubeconfigServer); err != nil || u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("--kubeconfig-server %q must be an https:// URL", o.KubeconfigServer))
		}
	}
	if o.MaxTTL != 0 && o.MaxTTL < renewal.MinimumTTL {
		errs = append(errs, fmt.Errorf("--max-ttl %s must be at least %s, the shortest lifetime that Kubernetes signs, or 0 for no bound", o.MaxTTL, renewal.MinimumTTL))
	}
	if len(o.AllowedSigners) == 0 {
		errs = append(errs, errors.New("--allowed-signers names no signer"))
	}
	if o.ConcurrentReconciles < 1 {
		errs = append(errs, fmt.Errorf("--concurrent-reconciles %d must be at least 1", o.ConcurrentReconciles))
	}
	errs = append(errs, o.Webhook.validate(), o.validateAudit(), o.validateAuthorization())
	return errors.Join(errs...)
}

func (o *Options) validateSecretNamespaces() []error {
	if slices.Equal(o.SecretNamespaces, []string{secret.AllNamespaces}) {
		if problems := validation.IsDNS1123Label(o.DefaultSecretNamespace); len(problems) > 0 {
			return []error{fmt.Errorf("--default-secret-namespace: %q is no name of a namespace: %s", o.DefaultSecretNamespace, strings.Join(problems, ", "))}
		}
		return nil
	}
	var errs []error
	if len(o.SecretNamespaces) == 0 {
		errs = append(errs, errors.New("--secret-namespaces names no namespace"))
	}
	for _, namespace := range o.SecretNamespaces {
		if namespace == secret.AllNamespaces {
			errs = append(errs, fmt.Errorf("--secret-namespaces: %s stands for all namespaces, so name no other", namespace))
		} else if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("--secret-namespaces: %q is no name of a namespace: %s", namespace, strings.Join(problems, ", ")))
		}
	}
	if !slices.Contains(o.SecretNamespaces, o.DefaultSecretNamespace) {
		errs = append(errs, fmt.Errorf("--default-secret-namespace %q must be one of --secret-namespaces (%s)",
			o.DefaultSecretNamespace, strings.Join(o.SecretNamespaces, ",")))
	}
	return errs
}

// splitList returns the non-empty elements of a comma-separated list.
func splitList(list string) []string {
	var elements []string
	for element := range strings.SplitSeq(list, ",") {
		if element = strings.TrimSpace(element); element != "" && !slices.Contains(elements, element) {
			elements = append(elements, element)
		}
	}
	return elements
}
