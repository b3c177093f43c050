// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// maxRSABits and maxRSAExponent bound the RSA keys that are computed with: larger ones take long on purpose.
const (
	maxRSABits     = 4096
	maxRSAExponent = 1<<31 - 1
)

// ForeignRequest is a certificate request whose key somebody else made.
type ForeignRequest struct {
	parsed *x509.CertificateRequest
}

// ReadForeignRequest reads a request that NewRequest could have made: one PEM block of at most 32 KiB, without attributes. Its
// signature is not looked at yet: see CheckSignature.
func ReadForeignRequest(requestPEM []byte) (*ForeignRequest, error) {
	blocks, err := strictBlocks(requestPEM, requestBlock, 1, maxRequestBytes)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	parsed, err := x509.ParseCertificateRequest(blocks[0])
	if err != nil {
		return nil, fmt.Errorf("certificate request: %s", shorten(err.Error()))
	}
	if err := noAttributes(parsed.RawTBSCertificateRequest); err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	return &ForeignRequest{parsed: parsed}, nil
}

// Key returns its public key.
func (r *ForeignRequest) Key() crypto.PublicKey { return r.parsed.PublicKey }

// Subject returns the user and the groups that it asks for.
func (r *ForeignRequest) Subject() Subject {
	return Subject{Username: r.parsed.Subject.CommonName, Groups: set(r.parsed.Subject.Organization)}
}

// Is says whether the subject is exactly that of a certificate of an identity, as NewRequest encodes it: user and groups, the
// credential group of the revocation, and one group, whichever it is, that no other certificate has.
func (r *ForeignRequest) Is(s Subject, uid types.UID, revokeIssuedBefore *time.Time) bool {
	own := slices.IndexFunc(r.parsed.Subject.Organization, isCertificateGroup)
	if own < 0 {
		return false
	}
	s.Groups = append(slices.Clone(s.Groups), CredentialGroup(string(uid), revokeIssuedBefore), r.parsed.Subject.Organization[own])
	planned, err := s.encode()
	return err == nil && bytes.Equal(planned, r.parsed.RawSubject)
}

// isCertificateGroup says whether a group is one that Deniable makes for a certificate: 26 digits of base 32 (RFC 4648).
func isCertificateGroup(group string) bool {
	digits, ok := strings.CutPrefix(group, v1alpha1.CertificateGroupPrefix)
	return ok && len(digits) == 26 && strings.Trim(digits, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// CheckKey returns what keeps a key from being of the algorithm, and of at least the size, that is asked for; or nil.
func CheckKey(k v1alpha1.PrivateKey, pub crypto.PublicKey) error {
	algorithm, size := explicit(k)
	has, bits := v1alpha1.KeyAlgorithm("unknown"), 0
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		has, bits = v1alpha1.ECDSA, key.Curve.Params().BitSize
		if curve(bits) == nil {
			return fmt.Errorf("it is an ECDSA key of %d bits: 256, 384 or 521 can be used", bits)
		}
	case *rsa.PublicKey:
		has, bits = v1alpha1.RSA, key.N.BitLen()
		if bits > maxRSABits || key.E > maxRSAExponent || key.E < 3 {
			return errors.New("it is an RSA key that is too large, or of an unusual exponent")
		}
	case ed25519.PublicKey:
		has = v1alpha1.Ed25519
	}
	if has != algorithm || bits < size {
		wanted := string(algorithm)
		if size > 0 {
			wanted = fmt.Sprintf("%s of %d bits or more", algorithm, size)
		}
		return fmt.Errorf("it is an %s key of %d bits, and the identity asks for %s", has, bits, wanted)
	}
	return nil
}

// CheckSignature returns an error where the request is not signed with its key. CheckKey comes first: no other key is
// computed with.
func (r *ForeignRequest) CheckSignature() error {
	if r.parsed.CheckSignature() != nil {
		return errors.New("certificate request: the signature is not valid")
	}
	return nil
}

// KeyHash returns the SHA-256 of a public key (SubjectPublicKeyInfo in DER) in hexadecimal.
func KeyHash(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("a public key of type %T cannot be encoded", pub)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}
