// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// State is what outlives a control plane, as where a cluster comes back from a snapshot of etcd. The zero value is an empty cluster.
type State struct {
	// ServerCA and ClientCA are the CAs that it had: of the API server's certificate, and of its users'.
	ServerCA, ClientCA *CA
	// ServerNames are names that the API server's certificate has besides those of this machine.
	ServerNames []string
	// Fill writes what etcd held. It is called once, with the URL of the empty etcd, before the API server starts.
	Fill func(ctx context.Context, etcd string) error
}

// EtcdURL returns the URL of etcd, which asks nobody for a certificate.
func (cp *ControlPlane) EtcdURL() string { return cp.etcdURL.String() }

// ParseCA returns a CA from its certificate and private key, both in PEM, as CertPEM and KeyPEM write them.
func ParseCA(certPEM, keyPEM []byte) (*CA, error) {
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, errors.New("parse a CA: no PEM")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	signer, is := key.(crypto.Signer)
	if !is {
		return nil, errors.New("parse a CA: its key signs nothing")
	}
	return &CA{cert: cert, key: signer}, nil
}
