// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/webhook"
)

// The status is patched with the right that the reconciler has.
// +kubebuilder:rbac:groups=clientidentity.dev,resources=clientidentities/status,verbs=patch

// Path is where audit events are posted to.
const Path = "/audit"

// Options say how audit events are taken.
type Options struct {
	// Address is the address that is listened on, such as :9444.
	Address string
	// CertDir holds the serving certificate, tls.crt and tls.key.
	CertDir string
	// ClientCAFile holds the CAs (PEM) of the client certificate that the API server posts with, and ClientName is the common
	// name in it.
	ClientCAFile, ClientName string
	// Interval is the time between two writes of an identity's status, at least.
	Interval time.Duration
	// Silence is how long no proof of the operator may come back until uses count as unnoticed.
	Silence time.Duration
	// Namespace is where the Lease is that remembers since when they are noticed.
	Namespace string
}

// Validate returns what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if _, port, err := splitAddress(o.Address); err != nil || port < 1 || port > 65535 {
		errs = append(errs, fmt.Errorf(`--audit-webhook-bind-address %q must be an address with a port, such as :9444, or "0"`, o.Address))
	}
	if o.ClientCAFile == "" {
		errs = append(errs, errors.New("--audit-webhook-client-ca-file must be set with --audit-webhook-bind-address: a file with the CA of the certificate that the API server posts with"))
	} else if _, err := clientCAs(o.ClientCAFile); err != nil {
		errs = append(errs, err)
	}
	if o.ClientName == "" {
		errs = append(errs, errors.New("--audit-webhook-client-name must be set with --audit-webhook-bind-address: the common name in the certificate that the API server posts with"))
	}
	if o.CertDir == "" {
		errs = append(errs, errors.New("--webhook-cert-dir must be set with --audit-webhook-bind-address"))
	}
	return errors.Join(errs...)
}

// NewStream returns what knows since when audit events come. Live is a client without a cache.
func NewStream(live client.Client, now clock.PassiveClock, options Options) *Stream {
	return &Stream{client: live, namespace: options.Namespace, clock: now, every: options.Silence / 6, silence: options.Silence}
}

// Add adds the endpoint, the writer and the stream to a manager. They run on every replica.
func Add(ctx context.Context, mgr manager.Manager, stream *Stream, now clock.PassiveClock, options Options) error {
	w := newWriter(mgr.GetClient(), options.Interval, now)
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.ClientIdentity{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch identities for audit events: %w", err)
	}
	if _, err := informer.AddEventHandler(watching(w.table, now)); err != nil {
		return fmt.Errorf("watch identities for audit events: %w", err)
	}
	host, port, err := splitAddress(options.Address)
	if err != nil {
		return err
	}
	inner := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: host, Port: port, CertDir: options.CertDir,
		TLSOpts: []func(*tls.Config){webhook.SecureTLS, onlyClientsOf(options.ClientCAFile)},
	})
	inner.Register(Path, newHandler(w.table, stream.heartbeat, options.ClientName, now))
	if err := mgr.Add(&server{Server: inner, certDir: options.CertDir}); err != nil {
		return fmt.Errorf("set up the endpoint for audit events: %w", err)
	}
	if err := mgr.Add(w); err != nil {
		return fmt.Errorf("set up the writer of status.lastUsed: %w", err)
	}
	if err := mgr.Add(stream); err != nil {
		return fmt.Errorf("set up what keeps since when audit events come: %w", err)
	}
	return nil
}

// watching tells the table of identities.
func watching(table *table, now clock.PassiveClock) toolscache.ResourceEventHandler {
	know := func(object any) {
		if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
			table.know(identity, now.Now())
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    know,
		UpdateFunc: func(_, after any) { know(after) },
		DeleteFunc: func(object any) {
			if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
				object = last.Obj
			}
			if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
				table.forget(identity.Name)
			}
		},
	}
}

// onlyClientsOf lets only clients with a certificate of those CAs get as far as a request. The file is read for each connection:
// the API server keeps its own open, and a CA can be replaced without a restart.
func onlyClientsOf(file string) func(*tls.Config) {
	return func(config *tls.Config) {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = x509.NewCertPool() // nobody, should what follows not be asked
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pool, err := clientCAs(file)
			if err != nil {
				return nil, err
			}
			own := config.Clone()
			own.GetConfigForClient, own.ClientCAs = nil, pool
			return own, nil
		}
	}
}

func clientCAs(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the file that the installer names
	if err != nil {
		return nil, fmt.Errorf("--audit-webhook-client-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--audit-webhook-client-ca-file %q holds no certificate in PEM", file)
	}
	return pool, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// server is a server that waits for its certificate.
type server struct {
	ctrlwebhook.Server
	certDir string
}

// Start serves until the context ends.
func (s *server) Start(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
		_, err := tls.LoadX509KeyPair(filepath.Join(s.certDir, "tls.crt"), filepath.Join(s.certDir, "tls.key"))
		return err == nil, nil
	})
	if err != nil {
		return nil //nolint:nilerr // the context ended
	}
	return s.Server.Start(ctx)
}
