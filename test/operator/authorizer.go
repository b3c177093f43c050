// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
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

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
)

// authorizerName is the name in the serving certificate: that of the Service.
var authorizerName = authorizationconfig.ServerName(Namespace)

// Authorizer is the operator's authorization webhook, asked by the API servers of a control plane on this machine, through a
// forwarder in place of the Service.
type Authorizer struct {
	// Forwarder is where the API servers ask.
	Forwarder *Forwarder
	// CA is that of the serving certificate.
	CA      *controlplane.CA
	certDir string
	files   controlplane.AuthorizationFiles
}

// NewAuthorizer makes the serving certificate, in a directory of the caller's. Use Authorization in the options of the control
// plane, then start operators as replicas.
func NewAuthorizer(certDir string) (*Authorizer, error) {
	ca, err := controlplane.NewCA("authorizer-ca", tokenLifetime)
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.ServerCertificate(authorizerName)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(certDir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	forwarder, err := NewForwarder()
	if err != nil {
		return nil, err
	}
	return &Authorizer{Forwarder: forwarder, CA: ca, certDir: certDir}, nil
}

// Authorization makes the API servers ask it, as manager authorization-config prints it, but for the version of SubjectAccessReview:
// v1 or v1beta1.
func (a *Authorizer) Authorization(version string) func(controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
	return func(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
		a.files = files
		made, err := AsPrinted(a.Forwarder.Address(), a.CA.CertPEM())(files)
		made.Configuration = bytes.ReplaceAll(made.Configuration, []byte(" subjectAccessReviewVersion: v1\n"), []byte(" subjectAccessReviewVersion: "+version+"\n"))
		return made, err
	}
}

// Replica is the address of one operator that serves the webhook.
type Replica struct {
	// Address is where it listens.
	Address    string
	authorizer *Authorizer
}

// NewReplica returns an address that nobody listens on yet. The forwarder does not know it.
func (a *Authorizer) NewReplica() (*Replica, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return &Replica{Address: net.JoinHostPort("localhost", strconv.Itoa(port)), authorizer: a}, nil
}

// Configure makes an operator in this process serve the webhook.
func (r *Replica) Configure(options *manager.Options) {
	options.Webhook.CertDir = r.authorizer.certDir
	options.Authorization.BindAddress = r.Address
	options.Authorization.ClientCAFile = r.authorizer.files.ClientCA
	options.Authorization.ClientName = controlplane.AuthorizationClient
}

// Flags make an operator in a process of its own serve the webhook.
func (r *Replica) Flags() []string {
	return []string{
		"--webhook-cert-dir=" + r.authorizer.certDir,
		"--authorization-webhook-bind-address=" + r.Address,
		"--authorization-webhook-client-ca-file=" + r.authorizer.files.ClientCA,
		"--authorization-webhook-client-name=" + controlplane.AuthorizationClient,
	}
}

// Serving waits until it accepts the certificate of an API server.
func (r *Replica) Serving(ctx context.Context) error {
	config, err := r.authorizer.ClientTLS()
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Second}, Config: config}
		var connection net.Conn
		if connection, last = dialer.DialContext(ctx, "tcp", r.Address); last == nil {
			last = connection.Close()
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the authorization webhook at %s does not serve: %w", r.Address, errors.Join(err, last))
	}
	return nil
}

// ClientTLS is how an API server connects to it.
func (a *Authorizer) ClientTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(a.files.ClientCert, a.files.ClientKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.CA.Certificate())
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: authorizerName, MinVersion: tls.VersionTLS12}, nil
}
