// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
)

// The files in the directory of keys. envtest looks for serving and serviceAccount, and makes no keys if they are there.
const (
	serving        = "apiserver"
	serviceAccount = "sa-signer"
	signingCA      = "signing-ca"
)

// makeKeys makes the three CAs and the keys that the API server and the controller manager share.
func (cp *ControlPlane) makeKeys() error {
	var errs []error
	newCA := func(name string) *CA {
		ca, err := NewCA(name, caLifetime)
		errs = append(errs, err)
		return ca
	}
	cp.serverCA = newCA("controlplane-server-ca")
	cp.adminCA = newCA("controlplane-admin-ca")
	clientCA := newCA("controlplane-client-ca")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	cp.clientCAs = &clientCAs{
		adminCA: cp.adminCA,
		file:    filepath.Join(cp.pki(), "client-cas.crt"),
		signing: clientCA,
		trusted: []*CA{clientCA},
	}
	cert, key, err := cp.serverCA.ServerCertificate("kubernetes.default.svc")
	if err != nil {
		return err
	}
	return errors.Join(
		writePair(cp.pki(), serving, cert, key),
		writeFile(cp.serverCAFile(), cp.serverCA.CertPEM()),
		cp.writeSigningCA(clientCA),
		cp.writeServiceAccountKey(),
	)
}

// writeServiceAccountKey writes the key pair of service account tokens.
func (cp *ControlPlane) writeServiceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return writePair(cp.pki(), serviceAccount, publicPEM, private)
}

func (cp *ControlPlane) serverCAFile() string { return filepath.Join(cp.pki(), "server-ca.crt") }

// pki is the directory of keys and certificates.
func (cp *ControlPlane) pki() string { return filepath.Join(cp.dir, "pki") }

// writePair writes dir/name.crt and dir/name.key.
func writePair(dir, name string, certPEM, keyPEM []byte) error {
	if err := writeFile(filepath.Join(dir, name+".crt"), certPEM); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, name+".key"), keyPEM)
}

// writeFile writes a file that only its owner may read, and its directory.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
