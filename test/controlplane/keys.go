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

// makeKeys makes the three CAs, but for those that are given, and the keys that the API server and the controller manager share.
func (cp *ControlPlane) makeKeys() error {
	var errs []error
	caOf := func(given *CA, name string) *CA {
		if given != nil {
			return given
		}
		ca, err := NewCA(name, caLifetime)
		errs = append(errs, err)
		return ca
	}
	cp.serverCA = caOf(cp.options.State.ServerCA, "controlplane-server-ca")
	cp.adminCA = caOf(nil, "controlplane-admin-ca")
	clientCA := caOf(cp.options.State.ClientCA, "controlplane-client-ca")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	cp.clientCAs = &clientCAs{
		adminCA: cp.adminCA,
		file:    filepath.Join(cp.pki(), "client-cas.crt"),
		signing: clientCA,
		trusted: []*CA{clientCA},
	}
	names, err := cp.serverNames()
	if err != nil {
		return err
	}
	cert, key, err := cp.serverCA.ServerCertificate(names...)
	if err != nil {
		return err
	}
	return errors.Join(
		writePair(cp.pki(), serving, cert, key),
		writeFile(cp.serverCAFile(), cp.serverCA.CertPEM()),
		cp.writeSigningCA(clientCA),
		cp.writeServiceAccountKey(),
		cp.makeKubeletClient(),
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
