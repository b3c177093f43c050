// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"net/http"
	"os"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/bulkhead"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/controller"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/internal/secret"
)

// name is the operator's name: of its lease and as the reporter of events.
const name = "client-identity-operator"

// The lease and the events of the leader election live in the operator's own namespace.
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=client-identity-system,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=client-identity-operator,namespace=client-identity-system,verbs=get;update
// +kubebuilder:rbac:groups="",resources=events,namespace=client-identity-system,verbs=create;patch

// Clients of the metrics are authenticated and authorized by the API server.
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Scheme returns the scheme with all types that the operator reads or writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// New returns a manager that runs the operator over a connection to the API server.
func New(ctx context.Context, connection *rest.Config, options Options) (ctrl.Manager, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	// API Priority and Fairness is the throttle.
	connection = rest.CopyConfig(connection)
	connection.QPS = -1
	bounds := fairly(connection, options)
	scheme := Scheme()
	mgr, err := ctrl.NewManager(connection, ctrl.Options{
		Scheme:                        scheme,
		MapperProvider:                newMapper,
		Cache:                         cacheOptions(options),
		Metrics:                       metricsOptions(options),
		HealthProbeBindAddress:        options.HealthProbeBindAddress,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              name,
		LeaderElectionNamespace:       options.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		// Several managers run in one process in tests.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("set up /healthz: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesSynced(mgr)); err != nil {
		return nil, fmt.Errorf("set up /readyz: %w", err)
	}
	return mgr, addController(ctx, mgr, connection, bounds, options)
}

func addController(ctx context.Context, mgr ctrl.Manager, connection *rest.Config, bounds *bulkhead.Bulkhead, options Options) error {
	live, small, err := liveClients(mgr, connection)
	if err != nil {
		return fmt.Errorf("set up the uncached clients: %w", err)
	}
	facts, err := clusterFacts(mgr, connection, options)
	if err != nil {
		return err
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	clientCAsChanged, err := addClientCAs(ctx, mgr, connection)
	if err != nil {
		return err
	}
	past, err := addMetrics(mgr, options)
	if err != nil {
		return err
	}
	certificate, err := addCertificate(mgr, live, options)
	if err != nil {
		return err
	}
	observed, err := addAudit(ctx, mgr, live, certificate, options)
	if err != nil {
		return err
	}
	prover := proof.New(connection)
	reach, reachChanged, err := addAuthorizer(ctx, mgr, connection, prover, past, certificate, options)
	if err != nil {
		return err
	}
	reconciler := controller.New(controller.Dependencies{
		Cached:  mgr.GetClient(),
		Live:    live,
		Small:   small,
		Prover:  fairProver{prover, bounds},
		Cluster: facts,
		Events:  mgr.GetEventRecorder(name),
		Metrics: past,
		Clock:   options.Clock,
		Slim:    slim,

		ClientCAsChanged: clientCAsChanged,
		Observed:         observed,
		Reach:            reach,
		ReachChanged:     reachChanged,
	}, controllerOptions(options))
	if err := reconciler.SetupWithManager(ctx, mgr, options.ConcurrentReconciles); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	if err := addWebhook(mgr, live, certificate, past.Counting, options); err != nil {
		return err
	}
	if err := mgr.Add(reconciler.IssuerWatch()); err != nil {
		return fmt.Errorf("add the watch on issuers: %w", err)
	}
	return nil
}

func controllerOptions(options Options) controller.Options {
	return controller.Options{
		Places:         secret.Places{Namespaces: options.SecretNamespaces, Default: options.DefaultSecretNamespace},
		ClusterName:    options.ClusterName,
		MaxTTL:         options.MaxTTL,
		AllowedSigners: options.AllowedSigners,
		Spread:         options.Spread,
		Lag:            options.APIServerLag,
		SlowLook:       options.SlowLook,
		IssuerInterval: options.IssuerInterval,
		DormantAfter:   options.Audit.DormantAfter,
		Deniable:       options.Authorization.BindAddress != off,
	}
}

// liveClients return a client that knows no caches, and one that fails, besides, where an answer is not small.
func liveClients(mgr ctrl.Manager, connection *rest.Config) (live, small client.Client, err error) {
	options := client.Options{Scheme: mgr.GetScheme(), HTTPClient: mgr.GetHTTPClient(), Mapper: mgr.GetRESTMapper()}
	if live, err = client.New(connection, options); err != nil {
		return nil, nil, err
	}
	options.HTTPClient = smallAnswersOnly(options.HTTPClient)
	small, err = client.New(connection, options)
	return live, small, err
}

// addClientCAs adds what tells that the published list of client CAs has changed.
func addClientCAs(ctx context.Context, mgr ctrl.Manager, connection *rest.Config) (<-chan struct{}, error) {
	clientCAs, changed, err := cluster.WatchClientCAs(ctx, connection)
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(clientCAs); err != nil {
		return nil, fmt.Errorf("add the watch on client CAs: %w", err)
	}
	return changed, nil
}

// clusterFacts returns what finds out what kubeconfigs point at.
func clusterFacts(mgr ctrl.Manager, connection *rest.Config, options Options) (*cluster.Facts, error) {
	facts := &cluster.Facts{
		Reader:     mgr.GetCache(),
		Server:     options.KubeconfigServer,
		Connection: connection,
		InCluster:  options.InCluster,
	}
	if options.KubeconfigCAFile == "" {
		return facts, nil
	}
	var err error
	if facts.CA, err = os.ReadFile(options.KubeconfigCAFile); err != nil {
		return nil, fmt.Errorf("--kubeconfig-certificate-authority: %w", err)
	}
	if err := kubeconfig.ValidateCA(facts.CA); err != nil {
		return nil, fmt.Errorf("--kubeconfig-certificate-authority %q: %w", options.KubeconfigCAFile, err)
	}
	return facts, nil
}

// cacheOptions keeps in memory only what is ours: labelled objects, Secrets (whose metadata alone is
// watched) in the namespaces that we publish in, and the ConfigMaps that say what this cluster is.
func cacheOptions(options Options) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue})
	secretNamespaces := map[string]cache.Config{}
	for _, namespace := range options.SecretNamespaces {
		if namespace == secret.AllNamespaces {
			namespace = cache.AllNamespaces
		}
		secretNamespaces[namespace] = cache.Config{}
	}
	named := func(name string) cache.Config {
		return cache.Config{FieldSelector: fields.OneTermEqualSelector("metadata.name", name)}
	}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ClientIdentity{}:                  {Transform: slimIdentity},
			&certificatesv1.CertificateSigningRequest{}: {Label: aboutIdentities(), Transform: slimDependent},
			&rbacv1.RoleBinding{}:                       {Label: ours, Transform: slimDependent},
			&rbacv1.ClusterRoleBinding{}:                {Label: ours, Transform: slimDependent},
			&corev1.Namespace{}:                         {Transform: slimNamespace},
			&rbacv1.Role{}:                              {Label: ours, Namespaces: secretNamespaces, Transform: slimDependent},
			&corev1.Secret{}:                            {Label: ours, Namespaces: secretNamespaces, Transform: slimDependent},
			&corev1.ServiceAccount{}:                    {Label: ours, Namespaces: secretNamespaces, Transform: slimDependent},
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{
				cluster.ClusterInfo.Namespace: named(cluster.ClusterInfo.Name),
				cluster.RootCA.Namespace:      named(cluster.RootCA.Name),
			}},
		},
	}
}

// aboutIdentities selects requests that may be about an identity: our own, and those that holders make.
func aboutIdentities() labels.Selector {
	labelled, err := labels.NewRequirement(v1alpha1.IdentityLabel, selection.Exists, nil)
	utilruntime.Must(err)
	return labels.NewSelector().Add(*labelled)
}

// cachesSynced says that the operator has seen the cluster.
func cachesSynced(mgr ctrl.Manager) healthz.Checker {
	return func(request *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(request.Context()) {
			return fmt.Errorf("the caches have not been filled yet")
		}
		return nil
	}
}
