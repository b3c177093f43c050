// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// maxKeyBytes bounds the PEM of a private key; one of RSA 4096 has about 3,300 bytes.
const maxKeyBytes = 8 << 10

// The sizes of keys where spec.privateKey.size is not set, in bits.
const (
	defaultECDSASize = 256
	defaultRSASize   = 2048
)

// explicit returns the algorithm and size that k asks for, with the defaults filled in: ECDSA, of 256
// bits; RSA of 2048 bits; Ed25519 has no size (0). Values that are not known are returned as they are.
func explicit(k v1alpha1.PrivateKey) (v1alpha1.KeyAlgorithm, int) {
	algorithm, size := k.Algorithm, int(k.Size)
	if algorithm == "" {
		algorithm = v1alpha1.ECDSA
	}
	switch {
	case size != 0:
	case algorithm == v1alpha1.ECDSA:
		size = defaultECDSASize
	case algorithm == v1alpha1.RSA:
		size = defaultRSASize
	}
	return algorithm, size
}

// curve returns the NIST curve of that many bits (FIPS 186-5), or nil. P-224 is left out: RFC 8422 took
// it out of TLS.
func curve(size int) elliptic.Curve {
	switch size {
	case 256:
		return elliptic.P256()
	case 384:
		return elliptic.P384()
	case 521:
		return elliptic.P521()
	}
	return nil
}

// GenerateKey makes a new private key of the algorithm and size that k asks for: ECDSA (the default) of
// 256 (the default), 384 or 521 bits, RSA of 2048 (the default), 3072 or 4096 bits, or Ed25519. It fails
// for anything else, which the schema of the API refuses too.
func GenerateKey(k v1alpha1.PrivateKey) (crypto.Signer, error) {
	algorithm, size := explicit(k)
	switch {
	case algorithm == v1alpha1.ECDSA && curve(size) != nil:
		return ecdsa.GenerateKey(curve(size), rand.Reader)
	case algorithm == v1alpha1.RSA && (size == 2048 || size == 3072 || size == 4096):
		return rsa.GenerateKey(rand.Reader, size)
	case algorithm == v1alpha1.Ed25519 && size == 0:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("there is no private key of algorithm %q and size %d: ECDSA has 256, 384 and 521, RSA 2048, 3072 and 4096, Ed25519 no size",
		shorten(string(algorithm)), size)
}

// EncodeKey returns the key as one PEM block PRIVATE KEY (PKCS#8, RFC 5958): one form for all algorithms.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("a private key of type %T cannot be encoded", key)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

// ParseKey reads what EncodeKey writes: one PEM block PRIVATE KEY of at most 8 KiB with an ECDSA, RSA or
// Ed25519 key. Every other form is refused: a key that the operator did not write is not its own, and
// must not be trusted as one. Errors hold nothing of the key.
func ParseKey(data []byte) (crypto.Signer, error) {
	blocks, err := strictBlocks(data, keyBlock, 1, maxKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	// The parser's own errors are dropped: nobody promises that they never quote what they read.
	parsed, err := x509.ParsePKCS8PrivateKey(blocks[0])
	if err != nil {
		return nil, errors.New("private key: not a PKCS#8 key")
	}
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("private key: a key of type %T cannot sign a certificate request", parsed)
}

// KeyMatches says whether key has the algorithm and size that k asks for, so that it may be used again
// under rotationPolicy Never.
func KeyMatches(k v1alpha1.PrivateKey, key crypto.Signer) bool {
	algorithm, size := explicit(k)
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return algorithm == v1alpha1.ECDSA && key != nil && key.Curve != nil && key.Curve == curve(size)
	case *rsa.PrivateKey:
		return algorithm == v1alpha1.RSA && key != nil && key.N != nil && key.N.BitLen() == size
	case ed25519.PrivateKey:
		return algorithm == v1alpha1.Ed25519 && size == 0 && len(key) == ed25519.PrivateKeySize
	}
	return false
}

// samePublicKey says whether two public keys are equal. All of the standard library's have Equal.
func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
