// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseIssuedReadsTheLeafFirst(t *testing.T) {
	key := testKey(t)
	leaf := certificateFor(t, key.Public(), alice)
	intermediate := certificateFor(t, testKey(t).Public(), Subject{Username: "intermediate"})
	chain := slices.Concat([]byte("\n"), leaf, []byte("\n \n"), intermediate, []byte("\n"))
	issued := must(ParseIssued(chain))

	if want := append(bytes.Clone(leaf), intermediate...); !bytes.Equal(issued.ChainPEM, want) {
		t.Errorf("the chain is not encoded anew:\n%s", issued.ChainPEM)
	}
	block, _ := pem.Decode(leaf)
	sum := sha256.Sum256(block.Bytes)
	if got, want := issued.Fingerprint(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	if got := issued.SerialNumber(); got != "abc123" {
		t.Errorf("serial number %s", got)
	}
	if got := issued.Subject(); got.Username != alice.Username || !slices.Equal(got.Groups, alice.Groups) {
		t.Errorf("subject %v", got)
	}
	if got := issued.Issuer(); got != `CN=kubernetes,O=Example\, Inc.` {
		t.Errorf("issuer %s", got)
	}
	if !issued.NotBefore().Equal(now.Add(-5*time.Minute)) || !issued.NotAfter().Equal(now.Add(24*time.Hour)) {
		t.Errorf("valid from %v to %v", issued.NotBefore(), issued.NotAfter())
	}
}

func TestParseIssuedRefusesWhatIsNotAChain(t *testing.T) {
	leaf := certificateFor(t, testKey(t).Public(), alice)
	block, _ := pem.Decode(leaf)
	damaged := bytes.Replace(leaf, []byte("\nM"), []byte("\n*"), 1)
	for name, test := range map[string]struct {
		chain []byte
		want  string
	}{
		"nothing":                    {nil, "empty"},
		"white space":                {[]byte("\n \n"), "empty"},
		"no PEM":                     {[]byte("certificate"), "empty"},
		"text before":                {append([]byte("subject=alice\n"), leaf...), ""},
		"text between":               {slices.Concat(leaf, []byte("issuer=ca\n"), leaf), ""},
		"text after":                 {append(bytes.Clone(leaf), "the end"...), ""},
		"a damaged leaf":             {append(bytes.Clone(damaged), leaf...), "block 1 of the PEM data is damaged"},
		"a damaged intermediate":     {append(bytes.Clone(leaf), damaged...), "block 2 of the PEM data is damaged"},
		"a key in the chain":         {append(bytes.Clone(leaf), must(EncodeKey(testKey(t)))...), "block 2 of the PEM data must be a CERTIFICATE"},
		"a header":                   {pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Headers: map[string]string{"a": "b"}, Bytes: block.Bytes}), "without headers"},
		"two certificates in one":    {encodeBlock(certificateBlock, append(bytes.Clone(block.Bytes), block.Bytes...)), "block 1: x509:"},
		"an empty block":             {encodeBlock(certificateBlock, nil), "block 1: x509:"},
		"16 certificates are enough": {bytes.Repeat(leaf, 16), ""},
		"17 certificates":            {bytes.Repeat(leaf, 17), "goes on after block 16"},
		"more than 64 KiB":           {append(bytes.Repeat([]byte(" "), 64<<10), leaf...), "at most 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseIssued(test.chain)
			wantError(t, err, test.want)
		})
	}
}

func TestWhatIsQuotedOfACertificateIsBounded(t *testing.T) {
	long := strings.Repeat("ü", 4096)
	key := testKey(t)
	template := &x509.Certificate{SerialNumber: new(big.Int).Lsh(big.NewInt(1), 9000), Subject: pkix.Name{CommonName: long}}
	issued := must(ParseIssued(encodeBlock(certificateBlock, must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))))
	for name, text := range map[string]string{
		"issuer": issued.Issuer(), "serial number": issued.SerialNumber(), "subject": issued.Subject().String(),
	} {
		if len(text) > maxText || !strings.HasSuffix(text, "...") || !utf8.ValidString(text) {
			t.Errorf("%s has %d bytes: %q", name, len(text), text)
		}
	}
	if got := shorten("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

func TestCheckTakesTheCertificateAskedFor(t *testing.T) {
	key := testKey(t)
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	reversed := Subject{alice.Username, []string{"team-a", "developers"}}
	for name, test := range map[string]struct {
		chain []byte
		at    time.Time
	}{
		"now":                              {certificateFor(t, key.Public(), alice), now},
		"with groups in another order":     {certificateFor(t, key.Public(), reversed), now},
		"at its first second":              {certificateFor(t, key.Public(), alice), now.Add(-5 * time.Minute)},
		"at its last second":               {certificateFor(t, key.Public(), alice), now.Add(24 * time.Hour)},
		"with an attribute of the signer":  {certificateFor(t, key.Public(), alice, func(c *x509.Certificate) { c.Subject.Country = []string{"DE"} }), now},
		"with one usage more":              {certificateFor(t, key.Public(), alice, addUsage(x509.ExtKeyUsageEmailProtection)), now},
		"with a lifetime that was cut off": {certificateFor(t, key.Public(), alice, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Minute) }), now},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, must(ParseIssued(test.chain)).Check(key.Public(), alice, test.at), "")
		})
	}
	t.Run("for an RSA key", func(t *testing.T) {
		wantError(t, must(ParseIssued(certificateFor(t, rsaKey.Public(), alice))).Check(rsaKey.Public(), alice, now), "")
	})
}

func addUsage(usage x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, usage) }
}

func onlyUsage(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	key := testKey(t)
	secondName := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			// Extra names replace the plain ones of the same type, so both stand here.
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidCommonName, Value: c.Subject.CommonName}, {Type: oidCommonName, Value: name}}
		}
	}
	for name, test := range map[string]struct {
		chain   []byte
		message string
	}{
		"another key":                {certificateFor(t, testKey(t).Public(), alice), "another public key"},
		"another user":               {certificateFor(t, key.Public(), Subject{"bob", alice.Groups}), `user "bob"`},
		"a user in other case":       {certificateFor(t, key.Public(), Subject{"Alice@example.com", alice.Groups}), "Alice"},
		"a group more":               {certificateFor(t, key.Public(), Subject{alice.Username, []string{"developers", "team-a", "x"}}), `"x"`},
		"a group less":               {certificateFor(t, key.Public(), Subject{alice.Username, []string{"team-a"}}), `groups ["team-a"]`},
		"a second, other name":       {certificateFor(t, key.Public(), Subject{"bob", alice.Groups}, secondName(alice.Username)), "2 common name(s)"},
		"no name":                    {certificateFor(t, key.Public(), Subject{"", alice.Groups}), "0 common name(s)"},
		"a CA":                       {certificateFor(t, key.Public(), alice, func(c *x509.Certificate) { c.IsCA = true }), "one of a CA"},
		"a server's usage":           {certificateFor(t, key.Public(), alice, onlyUsage(x509.ExtKeyUsageServerAuth)), "not for client authentication"},
		"no usage":                   {certificateFor(t, key.Public(), alice, onlyUsage()), "not for client authentication"},
		"any usage, but not named":   {certificateFor(t, key.Public(), alice, onlyUsage(x509.ExtKeyUsageAny)), "not for client authentication"},
		"a signer's clock ahead":     {certificateFor(t, key.Public(), alice, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }), "not valid before 2026-11-22T12:00:01Z: the clocks"},
		"an end that has come":       {certificateFor(t, key.Public(), alice, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), "expired at 2026-11-22T11:59:59Z"},
		"the key before the subject": {certificateFor(t, testKey(t).Public(), Subject{Username: "bob"}), "another public key"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, must(ParseIssued(test.chain)).Check(key.Public(), alice, now), test.message)
		})
	}
	t.Run("no key to compare with", func(t *testing.T) {
		wantError(t, must(ParseIssued(certificateFor(t, key.Public(), alice))).Check(nil, alice, now), "another public key")
	})
}

func FuzzParseIssued(f *testing.F) {
	key := testKey(f)
	leaf := certificateFor(f, key.Public(), alice)
	f.Add(leaf)
	f.Add(append(bytes.Clone(leaf), leaf...))
	f.Add(append(bytes.Clone(leaf), "garbage"...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		issued, err := ParseIssued(data)
		if err != nil {
			return
		}
		again, err := ParseIssued(issued.ChainPEM)
		if err != nil || !bytes.Equal(again.ChainPEM, issued.ChainPEM) || again.Fingerprint() != issued.Fingerprint() {
			t.Fatalf("the chain does not read back: %v", err)
		}
		if len(issued.Issuer()) > maxText || len(issued.SerialNumber()) > maxText {
			t.Fatal("unbounded text")
		}
		_ = issued.Check(key.Public(), alice, now) // must not panic
	})
}
