// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxRequestBytes bounds the PEM of a request: 33 groups of 64 characters of four bytes and an RSA key
// of 4096 bits need about 14,000.
const maxRequestBytes = 32 << 10

// NewRequest returns a certificate request (PKCS#10, RFC 2986) for the subject, signed with the key, as
// one PEM block CERTIFICATE REQUEST: the user name as the common name, the groups as organizations, and
// no attributes. It fails for a subject that RFC 5280 has no room for and for a key that cannot sign.
func NewRequest(key crypto.Signer, s Subject) ([]byte, error) {
	subject, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject}, key)
	if err != nil {
		// The error of a foreign crypto.Signer may say anything, so it is not passed on.
		return nil, fmt.Errorf("certificate request: a key of type %T could not sign it", key)
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: der}), nil
}

// VerifyRequest returns nil if the request is exactly the one planned: one PEM block of at most 32 KiB
// with the subject as NewRequest encodes it, the public key planned, no attributes, and a valid
// signature. It is the last check before a request is approved, so that an approval can never cover
// what somebody else put there.
func VerifyRequest(requestPEM []byte, s Subject, pub crypto.PublicKey) error {
	blocks, err := strictBlocks(requestPEM, requestBlock, 1, maxRequestBytes)
	if err != nil {
		return fmt.Errorf("certificate request: %w", err)
	}
	request, err := x509.ParseCertificateRequest(blocks[0])
	if err != nil {
		return fmt.Errorf("certificate request: %s", shorten(err.Error()))
	}
	planned, err := s.encode()
	if err != nil {
		return fmt.Errorf("certificate request: the subject planned is not possible: %w", err)
	}
	// Compared as DER: no second common name, no attribute that Go's parser skips, no other encoding.
	if !bytes.Equal(request.RawSubject, planned) {
		return fmt.Errorf("certificate request: the subject is %q, planned was exactly %v", shorten(request.Subject.String()), s)
	}
	if err := noAttributes(request.RawTBSCertificateRequest); err != nil {
		return fmt.Errorf("certificate request: %w", err)
	}
	if !samePublicKey(pub, request.PublicKey) {
		return errors.New("certificate request: the public key is not the one planned")
	}
	// Last, so that only a key of ours is ever computed with.
	if err := request.CheckSignature(); err != nil {
		return errors.New("certificate request: the signature is not valid")
	}
	return nil
}

// noAttributes returns an error if a CertificationRequestInfo (RFC 2986, 4.1) holds any attribute:
// alternative names and other extensions are asked for in them. x509.CertificateRequest drops those that
// it cannot parse, hence the look at the DER.
func noAttributes(der []byte) error {
	var info struct {
		Version    int
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Attributes []asn1.RawValue `asn1:"tag:0"`
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) != 0 {
		return errors.New("it cannot be parsed")
	}
	if len(info.Attributes) != 0 {
		return errors.New("it asks for alternative names, extensions or other attributes, and none were planned")
	}
	return nil
}
