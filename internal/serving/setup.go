// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const (
	// ServiceName is the Service that the API server calls.
	ServiceName = "client-identity-operator-webhook"
	// SecretName is the Secret with the certificate.
	SecretName = "client-identity-operator-webhook"
)

// One Secret, and one webhook configuration.
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=client-identity-operator-webhook,namespace=client-identity-system,verbs=list;watch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=client-identity-operator,verbs=list;watch;update

// Certificate is what something is served with.
type Certificate interface {
	// GetCertificate is for tls.Config.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready returns nil where the API server accepts what is served, as far as that is known.
	Ready() error
}

// Source says where the certificate comes from.
type Source struct {
	// Directory holds tls.crt and tls.key, where something else keeps them. Empty means the Secret.
	Directory string
	// Namespace is that of the operator, its Service and its Secret.
	Namespace string
	// Configuration names the webhook configuration by which the API server calls; empty where it calls by none.
	Configuration string
	// Rotate says whether the operator makes, renews and publishes the certificate in the Secret.
	Rotate bool
	// Lag is how long API servers may be behind with a webhook configuration.
	Lag time.Duration
	// Clock tells the time.
	Clock clock.PassiveClock
}

// Add adds to a manager what keeps a certificate, and returns it. Live is a client without a cache.
func Add(mgr ctrl.Manager, live client.Client, s Source) (Certificate, error) {
	var certificate Certificate
	follow := &follower{secret: types.NamespacedName{Namespace: s.Namespace, Name: SecretName}, configuration: s.Configuration, clock: s.Clock, lag: s.Lag}
	certificate = follow
	if s.Directory != "" {
		files := &directory{path: s.Directory, every: lookAtFiles}
		if err := mgr.Add(files); err != nil {
			return nil, fmt.Errorf("set up the certificate in --webhook-cert-dir: %w", err)
		}
		certificate = files
		if !s.Rotate {
			return certificate, nil
		}
	}
	watch, err := s.watch(mgr)
	if err != nil {
		return nil, fmt.Errorf("set up the watch on Secret %s: %w", follow.secret, err)
	}
	follow.reader = watch
	// The leader, too, follows what it has written as everybody does.
	if err := s.control(mgr, watch, "webhook-certificate", false, follow); err != nil {
		return nil, err
	}
	if s.Rotate {
		err = s.control(mgr, watch, "webhook-certificate-rotation", true, &rotation{
			reader: watch, writer: live, secret: follow.secret, configuration: s.Configuration, clock: s.Clock, lag: s.Lag,
			// For an operator outside of the cluster: https://localhost:<port>.
			maker:  newMaker([]string{fmt.Sprintf("%s.%s.svc", ServiceName, s.Namespace), "localhost"}),
			served: func() *pair { served, _ := follow.state(); return served },
		})
	}
	return certificate, err
}

// watch returns a cache of its own for the two objects: the one of the manager has the metadata of Secrets alone, by their labels.
func (s *Source) watch(mgr ctrl.Manager) (cache.Cache, error) {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	watch, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:   {Namespaces: map[string]cache.Config{s.Namespace: {FieldSelector: named(SecretName)}}},
			newConfiguration(): {Field: named(s.Configuration)},
		},
	})
	if err != nil {
		return nil, err
	}
	return watch, mgr.Add(everywhere{watch})
}

// everywhere is a cache of every replica: one with options for kinds does not say so itself.
type everywhere struct{ cache.Cache }

// NeedLeaderElection says that every replica has it.
func (everywhere) NeedLeaderElection() bool { return false }

// control calls a reconciler whenever one of the two objects changes.
func (s *Source) control(mgr ctrl.Manager, watch cache.Cache, name string, leader bool, r reconcile.Reconciler) error {
	one := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: SecretName}}
	b := ctrl.NewControllerManagedBy(mgr).Named(name).WithOptions(controller.Options{NeedLeaderElection: ptr.To(leader)}).
		WatchesRawSource(source.Kind(watch, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *corev1.Secret) []reconcile.Request { return []reconcile.Request{one} })))
	if s.Configuration != "" {
		b = b.WatchesRawSource(source.Kind(watch, newConfiguration(), handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *unstructured.Unstructured) []reconcile.Request { return []reconcile.Request{one} })))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("set up the controller %s: %w", name, err)
	}
	return nil
}
