// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// The bounds of a chain: what a signer returns ends in a Secret and in every kubeconfig made of it.
const (
	maxChainBytes        = 64 << 10
	maxChainCertificates = 16
)

// Issued is a certificate that a signer returned. Make it with ParseIssued.
type Issued struct {
	// Certificate is the client's own certificate, the leaf.
	Certificate *x509.Certificate
	// ChainPEM is the leaf and the intermediates after it, encoded anew.
	ChainPEM []byte
}

// ParseIssued reads a chain as signers return it, leaf first (RFC 8446, 4.4.2): 1 to 16 CERTIFICATE
// blocks of one certificate each, in at most 64 KiB. Text around the blocks is dropped; other blocks,
// headers and damaged blocks are refused.
func ParseIssued(chainPEM []byte) (*Issued, error) {
	if len(chainPEM) > maxChainBytes {
		return nil, fmt.Errorf("issued certificate: the PEM data has %d bytes: at most %d are read", len(chainPEM), maxChainBytes)
	}
	blocks, err := strictBlocks(explained(chainPEM), certificateBlock, maxChainCertificates, maxChainBytes)
	if err != nil {
		return nil, fmt.Errorf("issued certificate: %w", err)
	}
	issued := &Issued{}
	var chain bytes.Buffer
	for i, der := range blocks {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("issued certificate: block %d: %s", i+1, shorten(err.Error()))
		}
		if i == 0 {
			issued.Certificate = parsed
		}
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
	}
	issued.ChainPEM = chain.Bytes()
	return issued, nil
}

// Fingerprint returns the SHA-256 of the leaf's DER in lower-case hexadecimal: what the API server
// writes into audit events as the credential-id X509SHA256=... (k8s.io/apiserver, CommonNameUserConversion).
func (i *Issued) Fingerprint() string {
	sum := sha256.Sum256(i.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// SerialNumber returns the serial number in lower-case hexadecimal, two digits for each octet as OpenSSL
// prints it, in at most 512 bytes. RFC 5280, 4.1.2.2 allows 20 octets, but Go reads longer ones.
func (i *Issued) SerialNumber() string {
	return shorten(hex.EncodeToString(i.Certificate.SerialNumber.Bytes()))
}

// HasKey says whether the certificate was issued for this public key.
func (i *Issued) HasKey(key crypto.PublicKey) bool {
	return samePublicKey(key, i.Certificate.PublicKey)
}

// Subject returns whom the certificate authenticates. Groups are sorted, without duplicates.
func (i *Issued) Subject() Subject {
	return Subject{Username: i.Certificate.Subject.CommonName, Groups: set(i.Certificate.Subject.Organization)}
}

// NotBefore returns the start of the validity. Signers back-date it: it is not when the certificate was issued.
func (i *Issued) NotBefore() time.Time { return i.Certificate.NotBefore }

// NotAfter returns the end of the validity, which belongs to it (RFC 5280, 4.1.2.5).
func (i *Issued) NotAfter() time.Time { return i.Certificate.NotAfter }

// Issuer returns the distinguished name of the CA as RFC 2253 writes it, in at most 512 bytes.
func (i *Issued) Issuer() string { return shorten(i.Certificate.Issuer.String()) }

// AuthorityKeyID returns the identifier of the CA's key (RFC 5280, 4.2.1.1) in lower-case hexadecimal, or "". It
// tells CAs of the same name apart: a rotated CA mostly keeps its name.
func (i *Issued) AuthorityKeyID() string {
	return shorten(hex.EncodeToString(i.Certificate.AuthorityKeyId))
}

// FingerprintOf returns the fingerprint in a credential id, as the API server writes it into the extra of a user
// (authentication.kubernetes.io/credential-id; k8s.io/apiserver, authentication/request/x509); ok is false, and the fingerprint
// empty, where it is none of a client certificate.
func FingerprintOf(credentialID string) (fingerprint string, ok bool) {
	if fingerprint, ok = strings.CutPrefix(credentialID, "X509SHA256="); !ok {
		return "", false
	}
	return fingerprint, true
}

// FingerprintIn returns the fingerprint of the certificate that a request came with, of the credential ids in its extra; "" where it came
// with none, or where there are several ids: nobody knows then which one counts.
func FingerprintIn(credentialIDs []string) string {
	if len(credentialIDs) != 1 {
		return ""
	}
	fingerprint, _ := FingerprintOf(credentialIDs[0])
	return fingerprint
}
