// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var (
	// now is the time in these tests.
	now   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	alice = Subject{Username: "alice@example.com", Groups: []string{"developers", "team-a"}}
)

// testKey returns a new ECDSA key.
func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// must is for what can only fail where the test itself is wrong.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// certificateFor returns the PEM of a certificate for the subject and key, as the built-in signer makes
// it at now for a day, after the changes given.
func certificateFor(t testing.TB, pub crypto.PublicKey, s Subject, changes ...func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(0xabc123),
		Subject:               pkix.Name{CommonName: s.Username, Organization: s.Groups},
		NotBefore:             now.Add(-5 * time.Minute),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, change := range changes {
		change(template)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "kubernetes", Organization: []string{"Example, Inc."}}}
	der := must(x509.CreateCertificate(rand.Reader, template, issuer, pub, testKey(t)))
	return encodeBlock(certificateBlock, der)
}

// requestFor returns the PEM of a certificate request for the subject, signed by the key, after the changes given.
func requestFor(key crypto.Signer, s Subject, changes ...func(*x509.CertificateRequest)) []byte {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: s.Username, Organization: s.Groups}}
	for _, change := range changes {
		change(template)
	}
	return encodeBlock(requestBlock, must(x509.CreateCertificateRequest(rand.Reader, template, key)))
}

func encodeBlock(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// wantError fails the test unless err is nil where want is empty, or holds want.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatalf("unexpected error: %v", err)
	case want != "" && err == nil:
		t.Fatalf("no error, want one with %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Fatalf("error %q, want one with %q", err, want)
	}
}

func privateKey(algorithm v1alpha1.KeyAlgorithm, size int32) v1alpha1.PrivateKey {
	return v1alpha1.PrivateKey{Algorithm: algorithm, Size: size}
}
