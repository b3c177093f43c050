// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// foreignSigner is a key that is not of the standard library and talks too much.
type foreignSigner struct{ public crypto.PublicKey }

func (s foreignSigner) Public() crypto.PublicKey { return s.public }
func (foreignSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("my secret is 42")
}

func TestNewRequestAsksForExactlyTheSubject(t *testing.T) {
	for name, k := range map[string]v1alpha1.PrivateKey{
		"with an ECDSA key":    privateKey(v1alpha1.ECDSA, 384),
		"with an RSA key":      privateKey(v1alpha1.RSA, 2048),
		"with an Ed25519 key":  privateKey(v1alpha1.Ed25519, 0),
		"with the default key": {},
	} {
		t.Run(name, func(t *testing.T) {
			key := must(GenerateKey(k))
			s := Subject{Username: "jürgen*&@example.com", Groups: []string{"z", "a", "a much longer group", "z"}}
			request := must(NewRequest(key, s))
			wantError(t, VerifyRequest(request, s, key.Public()), "")

			block, rest := pem.Decode(request)
			if block.Type != "CERTIFICATE REQUEST" || len(rest) != 0 {
				t.Fatal("the request is not one block CERTIFICATE REQUEST")
			}
			parsed := must(x509.ParseCertificateRequest(block.Bytes))
			if got := (Subject{parsed.Subject.CommonName, parsed.Subject.Organization}); !got.Equal(s) || len(parsed.Subject.Names) != 4 {
				t.Errorf("the request is for %v with %d attributes", got, len(parsed.Subject.Names))
			}
			if len(parsed.Extensions) != 0 {
				t.Error("the request asks for extensions")
			}
		})
	}
}

func TestNewRequestRefusesWhatCannotBeAskedFor(t *testing.T) {
	key := testKey(t)
	for name, test := range map[string]struct {
		key     crypto.Signer
		subject Subject
		want    string
	}{
		"no user name":                    {key, Subject{}, "user name is empty"},
		"a user name of 65 characters":    {key, Subject{Username: strings.Repeat("ü", 65)}, "more than 64 characters"},
		"a user name that is not UTF-8":   {key, Subject{Username: "a\xff"}, "not valid UTF-8"},
		"an empty group":                  {key, Subject{Username: "a", Groups: []string{""}}, "group is empty"},
		"a group of 65 characters":        {key, Subject{Username: "a", Groups: []string{strings.Repeat("g", 65)}}, "more than 64 characters"},
		"a key that cannot sign":          {foreignSigner{key.Public()}, alice, "could not sign"},
		"64 characters of two bytes each": {key, Subject{Username: strings.Repeat("ü", 64)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewRequest(test.key, test.subject)
			wantError(t, err, test.want)
			if err != nil && strings.Contains(err.Error(), "42") {
				t.Errorf("the error passes on what the key said: %v", err)
			}
		})
	}
}

func TestVerifyRequestTakesGroupsAsASet(t *testing.T) {
	key := testKey(t)
	reversed := Subject{Username: alice.Username, Groups: slices.Clone(alice.Groups)}
	slices.Reverse(reversed.Groups)
	wantError(t, VerifyRequest(must(NewRequest(key, alice)), reversed, key.Public()), "")
}

func TestVerifyRequestRefusesWhatWasNotPlanned(t *testing.T) {
	key := testKey(t)
	good := must(NewRequest(key, alice))
	extra := func(values ...pkix.AttributeTypeAndValue) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.Subject.ExtraNames = values }
	}
	name := func(value string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oidCommonName, Value: value}
	}
	group := func(value any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: value}
	}
	from := func(s Subject) []byte { return must(NewRequest(key, s)) }
	for name, test := range map[string]struct {
		request []byte
		want    string
	}{
		"another user":           {from(Subject{"bob", alice.Groups}), "the subject is"},
		"another group":          {from(Subject{alice.Username, append(slices.Clone(alice.Groups), "admins")}), "the subject is"},
		"a group less":           {from(Subject{alice.Username, alice.Groups[:1]}), "the subject is"},
		"a second common name":   {requestFor(key, alice, extra(name("bob"), name(alice.Username))), "the subject is"},
		"the common name twice":  {requestFor(key, alice, extra(name(alice.Username), name(alice.Username))), "the subject is"},
		"a UID":                  {requestFor(key, alice, extra(pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 2}, Value: "7"})), "the subject is"},
		"an organizational unit": {requestFor(key, alice, func(r *x509.CertificateRequest) { r.Subject.OrganizationalUnit = []string{"x"} }), "the subject is"},
		"a group of no text":     {requestFor(key, alice, extra(group("developers"), group("team-a"), group(7))), "the subject is"},
		"a DNS name":             {requestFor(key, alice, func(r *x509.CertificateRequest) { r.DNSNames = []string{"a.example"} }), "alternative names"},
		"an e-mail address":      {requestFor(key, alice, func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@example.com"} }), "alternative names"},
		"an IP address":          {requestFor(key, alice, func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(1, 2, 3, 4)} }), "alternative names"},
		"a URI":                  {requestFor(key, alice, func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "a"}} }), "alternative names"},
		"a CA's extension": {requestFor(key, alice, func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		}), "extensions"},
		"an attribute that Go ignores": {withChallengePassword(t, good, key), "other attributes"},
		"another key":                  {must(NewRequest(testKey(t), alice)), "public key"},
		"a bad signature":              {tamper(good), "signature is not valid"},
		"nothing":                      {nil, "empty"},
		"a certificate":                {certificateFor(t, key.Public(), alice), "must be a CERTIFICATE REQUEST"},
		"text after":                   {append(bytes.Clone(good), 'x'), "goes on after block 1"},
		"two requests":                 {append(bytes.Clone(good), good...), "goes on after block 1"},
		"no request inside":            {encodeBlock(requestBlock, []byte("no")), "certificate request:"},
		"more than 32 KiB":             {append(bytes.Repeat([]byte(" "), 32<<10), good...), "at most 32768"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, VerifyRequest(test.request, alice, key.Public()), test.want)
		})
	}
	t.Run("no key planned", func(t *testing.T) {
		wantError(t, VerifyRequest(good, alice, nil), "public key")
	})
	t.Run("a subject that cannot be planned", func(t *testing.T) {
		wantError(t, VerifyRequest(good, Subject{}, key.Public()), "not possible")
	})
}

// tamper changes the last byte of the signature.
func tamper(request []byte) []byte {
	block, _ := pem.Decode(request)
	block.Bytes[len(block.Bytes)-1] ^= 1
	return pem.EncodeToMemory(block)
}

// withChallengePassword returns the request with a challengePassword (RFC 2985, 5.4.1), which
// x509.CertificateRequest neither writes nor shows, and a signature that is valid for it.
func withChallengePassword(t *testing.T, request []byte, key crypto.Signer) []byte {
	t.Helper()
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []string `asn1:"set"`
	}
	type info struct {
		Version    int
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Attributes []attribute `asn1:"tag:0,set"`
	}
	block, _ := pem.Decode(request)
	parsed := must(x509.ParseCertificateRequest(block.Bytes))
	tbs := must(asn1.Marshal(info{
		Subject:    asn1.RawValue{FullBytes: parsed.RawSubject},
		PublicKey:  asn1.RawValue{FullBytes: parsed.RawSubjectPublicKeyInfo},
		Attributes: []attribute{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, []string{"let me in"}}},
	}))
	hash := crypto.SHA256.New()
	hash.Write(tbs)
	signature := must(key.Sign(rand.Reader, hash.Sum(nil), crypto.SHA256))
	der := must(asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: tbs},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	}))
	if again, err := x509.ParseCertificateRequest(der); err != nil || again.CheckSignature() != nil || len(again.Extensions) != 0 {
		t.Fatalf("the request was not built as meant: %v", err)
	}
	return encodeBlock(requestBlock, der)
}

func FuzzVerifyRequest(f *testing.F) {
	key := testKey(f)
	f.Add(must(NewRequest(key, alice)))
	f.Add(requestFor(key, alice, func(r *x509.CertificateRequest) { r.DNSNames = []string{"a.example"} }))
	f.Add(tamper(must(NewRequest(key, alice))))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----"))
	other := testKey(f).Public()
	f.Fuzz(func(t *testing.T, data []byte) {
		if VerifyRequest(data, alice, other) == nil {
			t.Fatal("a request is taken for a key that nobody has")
		}
		_ = VerifyRequest(data, alice, key.Public()) // must not panic
	})
}
