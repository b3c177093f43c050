// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/clientidentity/operator/internal/serving"
)

const (
	// Path is where the webhook is served.
	Path = "/validate-clientidentity"
	// ConfigurationName is the name of the webhook's configuration.
	ConfigurationName = "client-identity-operator"
)

// Options say how the webhook is served.
type Options struct {
	// Port is the port it is served on.
	Port int
	// Certificate is what it is served with.
	Certificate serving.Certificate
	// Drain is how long reviews are still taken after the end has begun: see serving.Options.
	Drain time.Duration
	// DefaultSecretNamespace is where the Secrets of identities are that do not say so.
	DefaultSecretNamespace string
	// Counting returns a handler that counts what another one decides.
	Counting func(admission.Handler) admission.Handler
}

// Add adds the webhook to a manager. It is not ready until the API server accepts what it is served with. Every replica serves, the
// leader or not.
func Add(mgr manager.Manager, live client.Client, options Options) error {
	server := serving.NewServer(serving.Options{Port: options.Port, Certificate: options.Certificate, Drain: options.Drain}, Path, &admission.Webhook{
		Handler:         options.Counting(NewHandler(live, options.DefaultSecretNamespace)),
		WithContextFunc: withTimeout,
	})
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", server.Ready); err != nil {
		return fmt.Errorf("set up /readyz: %w", err)
	}
	return nil
}
