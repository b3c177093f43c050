// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"crypto/tls"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/clientidentity/operator/internal/metrics"
	"github.com/clientidentity/operator/internal/serving"
)

func metricsOptions(options Options) metricsserver.Options {
	server := metricsserver.Options{BindAddress: options.MetricsBindAddress, SecureServing: options.MetricsSecure}
	if options.MetricsSecure {
		server.FilterProvider = filters.WithAuthenticationAndAuthorization
		server.TLSOpts = []func(*tls.Config){serving.Secure}
	}
	return server
}

// addMetrics adds what tells Prometheus of identities to what controller-runtime tells, and returns what counts.
func addMetrics(mgr ctrl.Manager, options Options) (*metrics.Past, error) {
	signers := metrics.Signers(options.AllowedSigners)
	past := metrics.NewPast(signers, options.Version)
	present := &metrics.Present{Cached: mgr.GetCache(), Clock: options.Clock, Signers: signers}
	return past, metrics.Register(ctrlmetrics.Registry, past, present)
}
