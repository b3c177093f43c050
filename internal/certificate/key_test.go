// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestKeysSurviveEncodingAndAreWhatWasAskedFor(t *testing.T) {
	for name, asked := range map[string]struct {
		key  v1alpha1.PrivateKey
		same v1alpha1.PrivateKey // the same with defaults written out
	}{
		"nothing asked for is ECDSA of 256 bits": {privateKey("", 0), privateKey(v1alpha1.ECDSA, 256)},
		"ECDSA without a size has 256 bits":      {privateKey(v1alpha1.ECDSA, 0), privateKey(v1alpha1.ECDSA, 256)},
		"ECDSA of 384 bits":                      {privateKey(v1alpha1.ECDSA, 384), privateKey(v1alpha1.ECDSA, 384)},
		"ECDSA of 521 bits":                      {privateKey(v1alpha1.ECDSA, 521), privateKey(v1alpha1.ECDSA, 521)},
		"RSA without a size has 2048 bits":       {privateKey(v1alpha1.RSA, 0), privateKey(v1alpha1.RSA, 2048)},
		"RSA of 4096 bits":                       {privateKey(v1alpha1.RSA, 4096), privateKey(v1alpha1.RSA, 4096)},
		"Ed25519":                                {privateKey(v1alpha1.Ed25519, 0), privateKey(v1alpha1.Ed25519, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := must(GenerateKey(asked.key))
			encoded := must(EncodeKey(key))
			if block, rest := pem.Decode(encoded); block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
				t.Fatal("the key is not one block PRIVATE KEY")
			}
			parsed := must(ParseKey(encoded))
			if !parsed.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
				t.Error("the key read back is another one")
			}
			if !bytes.Equal(must(EncodeKey(parsed)), encoded) {
				t.Error("the key read back is encoded differently")
			}
			if !KeyMatches(asked.key, parsed) || !KeyMatches(asked.same, parsed) {
				t.Error("the key is not recognised as the one asked for")
			}
		})
	}
}

func TestGenerateKeyRefusesWhatTheSchemaRefuses(t *testing.T) {
	for name, asked := range map[string]v1alpha1.PrivateKey{
		"ECDSA of 224 bits":    privateKey(v1alpha1.ECDSA, 224),
		"RSA of 1024 bits":     privateKey(v1alpha1.RSA, 1024),
		"RSA of 16384 bits":    privateKey(v1alpha1.RSA, 16384),
		"Ed25519 with a size":  privateKey(v1alpha1.Ed25519, 256),
		"an unknown algorithm": privateKey("DSA", 0),
		"a negative size":      privateKey(v1alpha1.RSA, -1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := GenerateKey(asked)
			wantError(t, err, "there is no private key of algorithm")
			if KeyMatches(asked, testKey(t)) {
				t.Error("a key matches what cannot be asked for")
			}
		})
	}
}

func TestKeyMatchesTellsKeysApart(t *testing.T) {
	p256 := testKey(t)
	rsa2048 := must(GenerateKey(privateKey(v1alpha1.RSA, 0)))
	edKey := must(GenerateKey(privateKey(v1alpha1.Ed25519, 0)))
	for name, test := range map[string]struct {
		asked v1alpha1.PrivateKey
		key   crypto.Signer
	}{
		"another curve":         {privateKey(v1alpha1.ECDSA, 384), p256},
		"a curve nobody offers": {privateKey(v1alpha1.ECDSA, 0), must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))},
		"another RSA size":      {privateKey(v1alpha1.RSA, 3072), rsa2048},
		"RSA for ECDSA":         {privateKey("", 0), rsa2048},
		"ECDSA for RSA":         {privateKey(v1alpha1.RSA, 0), p256},
		"ECDSA for Ed25519":     {privateKey(v1alpha1.Ed25519, 0), p256},
		"Ed25519 for ECDSA":     {privateKey(v1alpha1.ECDSA, 0), edKey},
		"no key":                {privateKey("", 0), nil},
		"a nil ECDSA key":       {privateKey("", 0), (*ecdsa.PrivateKey)(nil)},
		"an empty RSA key":      {privateKey(v1alpha1.RSA, 0), &rsa.PrivateKey{}},
	} {
		t.Run(name, func(t *testing.T) {
			if KeyMatches(test.asked, test.key) {
				t.Error("it matches")
			}
		})
	}
}

func TestParseKeyRefusesWhatTheOperatorDoesNotWrite(t *testing.T) {
	key := testKey(t)
	good := must(EncodeKey(key))
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(key))
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":              {nil, "empty"},
		"white space":          {[]byte(" \n\t"), "empty"},
		"an EC block":          {encodeBlock("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))), "must be a PRIVATE KEY"},
		"an encrypted key":     {encodeBlock("ENCRYPTED PRIVATE KEY", pkcs8), "must be a PRIVATE KEY"},
		"a header":             {pem.EncodeToMemory(&pem.Block{Type: keyBlock, Headers: map[string]string{"a": "b"}, Bytes: pkcs8}), "without headers"},
		"two keys":             {append(bytes.Clone(good), good...), "goes on after block 1"},
		"text before":          {append([]byte("my key\n"), good...), "other text around it"},
		"text after":           {append(bytes.Clone(good), "my key"...), "goes on after block 1"},
		"a damaged block":      {bytes.Replace(good, []byte("\nM"), []byte("\n*"), 1), "damaged"},
		"a damaged one before": {append([]byte("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n"), good...), "damaged"},
		"DER that is no key":   {encodeBlock(keyBlock, pkcs8[:len(pkcs8)-1]), "not a PKCS#8 key"},
		"a key that can't sign": {encodeBlock(keyBlock, must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))))),
			"cannot sign"},
		"more than 8 KiB": {append(bytes.Repeat([]byte("\n"), 8<<10), good...), "at most 8192"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseKey(test.data)
			wantError(t, err, test.want)
			wantNoSecret(t, err, test.data)
		})
	}
}

func TestEncodeKeyNamesTheTypeItCannotEncode(t *testing.T) {
	_, err := EncodeKey(foreignSigner{})
	wantError(t, err, "certificate.foreignSigner")
}

// wantNoSecret fails the test if the error quotes any line of the secret, in base64 or decoded.
func wantNoSecret(t *testing.T, err error, secret []byte) {
	t.Helper()
	for line := range strings.Lines(string(secret)) {
		line = strings.TrimSpace(line)
		if len(line) < 16 || strings.HasPrefix(line, "-----") {
			continue
		}
		raw, _ := base64.StdEncoding.DecodeString(line)
		if strings.Contains(err.Error(), line) || len(raw) > 0 && strings.Contains(err.Error(), string(raw)) {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, k := range []v1alpha1.PrivateKey{privateKey("", 0), privateKey(v1alpha1.Ed25519, 0), privateKey(v1alpha1.RSA, 2048)} {
		f.Add(must(EncodeKey(must(GenerateKey(k)))))
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKey(data)
		if (key == nil) == (err == nil) {
			t.Fatalf("key %T, error %v", key, err)
		}
		if err == nil {
			if _, err := EncodeKey(key); err != nil {
				t.Fatalf("a key that was read cannot be written: %v", err)
			}
		}
	})
}
