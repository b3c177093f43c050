// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package serving has the certificate that the operator serves the API server with: every replica takes it from a Secret as the API
// server has it, without a mount, which would be up to two minutes late, and the leader makes, renews and publishes it.
package serving

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// pair is a certificate with its key and what came with it.
type pair struct {
	certificate *tls.Certificate
	leaf        *x509.Certificate
	// intermediates are the other certificates of its file.
	intermediates *x509.CertPool
}

// read returns the certificate in a Secret, nil where there is none, and why.
func read(secret *corev1.Secret) (*pair, string) {
	cert, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(cert) == 0 || len(key) == 0 {
		return nil, "it holds no tls.crt and tls.key"
	}
	certificate, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, "its certificate and key cannot be read, or do not belong together" // the error may quote what it read
	}
	p := &pair{certificate: &certificate, leaf: certificate.Leaf, intermediates: x509.NewCertPool()}
	for _, der := range certificate.Certificate[1:] {
		if intermediate, err := x509.ParseCertificate(der); err == nil {
			p.intermediates.AddCert(intermediate)
		}
	}
	return p, ""
}

// same says whether two are the same certificate.
func (p *pair) same(other *pair) bool {
	return p != nil && other != nil && slices.EqualFunc(p.certificate.Certificate, other.certificate.Certificate, slices.Equal)
}

// issuedBy says whether a CA makes it a certificate that is accepted.
func (p *pair) issuedBy(ca *x509.Certificate, now time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := p.leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: p.intermediates, CurrentTime: now})
	return err == nil
}

// trust is what the API server checks the certificate of a webhook with.
type trust struct {
	// serverName is the name that it asks for.
	serverName string
	// roots are the CAs that it accepts; nil means those of its own system.
	roots *x509.CertPool
}

// accepts returns nil where the API server would take a certificate, everywhere that it asks.
func accepts(trusts []trust, p *pair, now time.Time) error {
	if p == nil {
		return errors.New("there is no certificate to serve with yet")
	}
	if now.After(p.leaf.NotAfter) { // also where nobody says whom the API server trusts
		return fmt.Errorf("the certificate has expired at %s", p.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	for _, t := range trusts {
		_, err := p.leaf.Verify(x509.VerifyOptions{DNSName: t.serverName, Roots: t.roots, Intermediates: p.intermediates, CurrentTime: now})
		if err != nil {
			return fmt.Errorf("the API server would not accept the certificate: %w", err)
		}
	}
	return nil
}

// choose returns the certificate to serve with, of the one in the Secret, nil where it holds none, and the one that has been served,
// nil before the first: what is broken, or not trusted yet, never takes the place of what the API server accepts, nor does what not
// every API server may have heard of.
func choose(stored, served *pair, trusts []trust, heard bool, now time.Time) *pair {
	switch goesOn := accepts(trusts, served, now) == nil; {
	case accepts(trusts, stored, now) == nil && (heard || !goesOn):
		return stored
	case goesOn, stored == nil:
		return served
	default:
		return stored // it may be trusted in a moment
	}
}
