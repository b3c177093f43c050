// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// KeyStore keeps private keys. It is the seam for TPMs and PKCS #11 tokens: what a record has of a key is a handle, which need not be
// the key itself.
type KeyStore interface {
	// New makes a key and returns its handle, which stands in the record.
	New(key v1alpha1.PrivateKey) (handle string, err error)
	// Signer returns the key of a handle.
	Signer(handle string) (crypto.Signer, error)
}

// InFile keeps keys in the record, in PEM.
type InFile struct{}

// New makes a key.
func (InFile) New(key v1alpha1.PrivateKey) (string, error) {
	signer, err := certificate.GenerateKey(key)
	if err != nil {
		return "", err
	}
	data, err := certificate.EncodeKey(signer)
	return string(data), err
}

// Signer returns a key.
func (InFile) Signer(handle string) (crypto.Signer, error) {
	return certificate.ParseKey([]byte(handle))
}
