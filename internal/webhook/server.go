// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"crypto/tls"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Path is where the webhook is served.
const Path = "/validate-clientidentity"

// Options say how the webhook is served.
type Options struct {
	// Port is the port it is served on.
	Port int
	// CertDir holds tls.crt and tls.key.
	CertDir string
	// Rotate says whether the operator keeps the certificate itself.
	Rotate bool
	// Namespace is the one of the operator, its Service and its Secret.
	Namespace string
	// DefaultSecretNamespace is where the Secrets of identities are that do not say so.
	DefaultSecretNamespace string
	// Counting returns a handler that counts what another one decides.
	Counting func(admission.Handler) admission.Handler
}

// Add adds the webhook to a manager. It is not ready until the webhook serves. Every replica serves, the leader or not.
func Add(mgr manager.Manager, live client.Client, options Options) error {
	server := &server{Server: webhook.NewServer(webhook.Options{
		Port:    options.Port,
		CertDir: options.CertDir,
		TLSOpts: []func(*tls.Config){SecureTLS},
	})}
	server.Register(Path, &admission.Webhook{
		Handler:         options.Counting(NewHandler(live, options.DefaultSecretNamespace)),
		WithContextFunc: withTimeout,
	})
	if options.Rotate {
		var err error
		if server.ready, err = rotate(mgr, live, options); err != nil {
			return err
		}
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return fmt.Errorf("set up /readyz: %w", err)
	}
	return nil
}

// SecureTLS turns HTTP/2 off, whose rapid reset (CVE-2023-44487, CVE-2023-39325) is not worth a protocol that callers do
// not need, and TLS below 1.2.
func SecureTLS(c *tls.Config) {
	c.NextProtos = []string{"http/1.1"}
	c.MinVersion = tls.VersionTLS12
}

// server is a webhook server that waits for its certificate.
type server struct {
	webhook.Server
	// ready is closed when the certificate is in place; nil means that it is.
	ready <-chan struct{}
}

// Start serves until the context ends.
func (s *server) Start(ctx context.Context) error {
	if s.ready != nil {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil
		}
	}
	return s.Server.Start(ctx)
}
