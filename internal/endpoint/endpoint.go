// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package endpoint serves what only the API server may call beside admission: over HTTPS, to one client, which shows a certificate. It
// knows nothing of what is asked there.
package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/internal/serving"
	"github.com/clientidentity/operator/internal/text"
)

// maxClientName bounds the name of a client that was refused, in the log.
const maxClientName = 128

// Options say where an endpoint is, and who may call it.
type Options struct {
	// Flags is what the flags of the endpoint begin with, such as --audit-webhook.
	Flags string
	// Address is the address that is listened on, such as :9444.
	Address string
	// Certificate is what is served with.
	Certificate serving.Certificate
	// ClientCAFile holds the CAs (PEM) of the client certificate that the API server shows, and ClientName is the common
	// name in it.
	ClientCAFile, ClientName string
}

// Validate returns what is wrong with the options, in terms of the flags.
func (o *Options) Validate() error {
	var errs []error
	if _, port, err := splitAddress(o.Address); err != nil || port < 1 || port > 65535 {
		errs = append(errs, fmt.Errorf(`%s-bind-address %q must be an address with a port, such as :9444, or "0"`, o.Flags, o.Address))
	}
	if o.ClientCAFile == "" {
		errs = append(errs, fmt.Errorf("%[1]s-client-ca-file must be set with %[1]s-bind-address: a file with the CA of the certificate that the API server shows", o.Flags))
	} else if _, err := o.clientCAs(); err != nil {
		errs = append(errs, err)
	}
	if o.ClientName == "" {
		errs = append(errs, fmt.Errorf("%[1]s-client-name must be set with %[1]s-bind-address: the common name in the certificate that the API server shows", o.Flags))
	}
	return errors.Join(errs...)
}

// New returns what serves a handler at a path, on every replica.
func New(options Options, path string, handler http.Handler) (*serving.Server, error) {
	host, port, err := splitAddress(options.Address)
	if err != nil {
		return nil, err
	}
	served := serving.Options{Host: host, Port: port, Certificate: options.Certificate, TLS: options.onlyClients}
	return serving.NewServer(served, path, options.Guard(handler)), nil
}

// Guard returns a handler that lets nobody but the API server through.
func (o *Options) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "a client certificate is required", http.StatusUnauthorized)
			return
		}
		if name := r.TLS.VerifiedChains[0][0].Subject.CommonName; name != o.ClientName {
			log.FromContext(r.Context()).Info("refused a client that is not "+o.Flags+"-client-name", "name", text.Shorten(text.Printable(name), maxClientName))
			http.Error(w, "this client may not ask here: see "+o.Flags+"-client-name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onlyClients lets only clients with a certificate of those CAs get as far as a request. The file is read for each connection:
// the API server keeps its own open, and a CA can be replaced without a restart.
func (o *Options) onlyClients(config *tls.Config) {
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = x509.NewCertPool() // nobody, should what follows not be asked
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := o.clientCAs()
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.GetConfigForClient, own.ClientCAs = nil, pool
		return own, nil
	}
}

func (o *Options) clientCAs() (*x509.CertPool, error) {
	content, err := os.ReadFile(o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("%s-client-ca-file: %w", o.Flags, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s-client-ca-file %q holds no certificate in PEM", o.Flags, o.ClientCAFile)
	}
	return pool, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(digits)
	return host, port, err
}
