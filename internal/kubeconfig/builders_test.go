// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// credential returns the PEM of a self-signed certificate and of its key.
func credential() (certificatePEM, keyPEM []byte) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return encodeBlock("CERTIFICATE", der), encodeBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

// parameters returns parameters with every field set, after the changes given.
func parameters(changes ...func(*Parameters)) Parameters {
	p := Parameters{
		Server: "https://api.example.com:6443", TLSServerName: "kubernetes", ProxyURL: "socks5://proxy:1080",
		ClusterName: "prod", ContextName: "alice@prod", Namespace: "development", CertificateAuthorityData: []byte("ca"),
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func encodeBlock(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// must is for what can only fail where the test itself is wrong.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
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

// wantNoSecret fails the test if the error quotes any part of a secret in PEM, as it is or encoded again.
func wantNoSecret(t *testing.T, err error, secretPEM []byte) {
	t.Helper()
	for _, form := range []string{string(secretPEM), base64.StdEncoding.EncodeToString(secretPEM)} {
		for begin := 0; begin+16 <= len(form); begin++ {
			part := form[begin : begin+16]
			if !strings.Contains(part, "-----") && strings.Contains(err.Error(), part) {
				t.Fatalf("the error quotes the secret: %v", err)
			}
		}
	}
}
