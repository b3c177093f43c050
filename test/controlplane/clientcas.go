// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// clientCAs are the CAs that client certificates come from. It is envtest's Authn: envtest asks it for the API
// server's flags and calls Start before each start of the API server.
type clientCAs struct {
	adminCA *CA
	file    string

	mu      sync.Mutex
	signing *CA   // signs users' certificates
	trusted []*CA // in addition to adminCA
}

var _ envtest.Authn = (*clientCAs)(nil)

// Configure sets the API server's flag.
func (c *clientCAs) Configure(_ string, args *envtest.Arguments) error {
	args.Set("client-ca-file", c.file)
	return nil
}

// Start writes the bundle that the API server is about to read.
func (c *clientCAs) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	bundle := bytes.NewBuffer(c.adminCA.CertPEM())
	for _, ca := range c.trusted {
		bundle.Write(ca.CertPEM())
	}
	return writeFile(c.file, bundle.Bytes())
}

// AddUser returns the base with a certificate of the signing CA.
func (c *clientCAs) AddUser(user envtest.User, base *rest.Config) (*rest.Config, error) {
	return withCertificate(c.signingCA(), base, user.Name, user.Groups...)
}

// Stop does nothing: the API server keeps the bundle for its next start.
func (c *clientCAs) Stop() error { return nil }

func (c *clientCAs) signingCA() *CA {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signing
}

// ClientCA returns the CA that the controller manager signs client certificates with.
func (cp *ControlPlane) ClientCA() *CA { return cp.clientCAs.signingCA() }

// UseSigningCA makes the controller manager sign with another CA, and restarts it. What it signs authenticates only
// while the API server trusts that CA: see TrustClientCAs.
func (cp *ControlPlane) UseSigningCA(ctx context.Context, ca *CA) error {
	if err := cp.writeSigningCA(ca); err != nil {
		return err
	}
	cp.clientCAs.mu.Lock()
	cp.clientCAs.signing = ca
	cp.clientCAs.mu.Unlock()
	return cp.RestartComponent(ctx, ControllerManager)
}

// TrustClientCAs makes the API server accept client certificates of these CAs only, besides the administrator's, and
// restarts it. Rotating: trust old and new, UseSigningCA(new), let clients renew, trust new.
func (cp *ControlPlane) TrustClientCAs(ctx context.Context, cas ...*CA) error {
	cp.clientCAs.mu.Lock()
	cp.clientCAs.trusted = slices.Clone(cas)
	cp.clientCAs.mu.Unlock()
	return cp.RestartComponent(ctx, APIServer)
}

func (cp *ControlPlane) writeSigningCA(ca *CA) error {
	key, err := ca.KeyPEM()
	if err != nil {
		return err
	}
	return writePair(cp.pki(), signingCA, ca.CertPEM(), key)
}

// withCertificate returns the base with a new certificate of the CA.
func withCertificate(ca *CA, base *rest.Config, user string, groups ...string) (*rest.Config, error) {
	cert, key, err := ca.ClientCertificate(user, groups...)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(base)
	config.CertData, config.KeyData = cert, key
	return config, nil
}
