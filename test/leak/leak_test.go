// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package leak_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/test/leak"
)

// encode returns a new private key as its file.
func encode(t *testing.T, kind v1alpha1.PrivateKey) []byte {
	t.Helper()
	key, err := certificate.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	file, err := certificate.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFindsKeysInEveryForm(t *testing.T) {
	for _, kind := range []v1alpha1.PrivateKey{
		{Algorithm: v1alpha1.ECDSA, Size: 256}, {Algorithm: v1alpha1.ECDSA, Size: 521}, {Algorithm: v1alpha1.RSA, Size: 2048}, {Algorithm: v1alpha1.Ed25519},
	} {
		file := encode(t, kind)
		marks := &leak.Marks{}
		if err := marks.AddKey("alice", file); err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(file)
		quoted, err := json.Marshal(map[string]any{"text": string(file), "bytes": file})
		if err != nil {
			t.Fatal(err)
		}
		forms := map[string]string{
			"the file":                   string(file),
			"the file quoted":            fmt.Sprintf("%q", file),
			"the file in base64":         base64.StdEncoding.EncodeToString(file),
			"the file in base64 twice":   base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(file))),
			"the file in JSON":           string(quoted),
			"that in base64":             base64.StdEncoding.EncodeToString(quoted),
			"its bytes":                  string(block.Bytes),
			"its bytes in base64":        base64.StdEncoding.EncodeToString(block.Bytes),
			"its bytes printed":          fmt.Sprintf("%v", block.Bytes),
			"its bytes in hexadecimal":   hex.EncodeToString(block.Bytes),
			"its bytes after two others": base64.StdEncoding.EncodeToString(append([]byte("xx"), block.Bytes...)),
		}
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, is := parsed.(*ecdsa.PrivateKey); is {
				number, err := key.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				sec1, err := x509.MarshalECPrivateKey(key)
				if err != nil {
					t.Fatal(err)
				}
				forms["a line of the file"] = strings.Split(string(file), "\n")[2]
				forms["the number"], forms["the number in decimal"] = string(number), new(big.Int).SetBytes(number).String()
				forms["SEC 1"], forms["SEC 1 in base64"] = string(sec1), base64.StdEncoding.EncodeToString(sec1)
			}
		}
		for what, text := range forms {
			if found := marks.In([]byte("before " + text + " after")); !slices.Equal(found, []string{"alice"}) {
				t.Errorf("%s: %s: found %q", kind.Algorithm, what, found)
			}
		}
	}
}

func TestFindsNothingElse(t *testing.T) {
	mine, other := encode(t, v1alpha1.PrivateKey{}), encode(t, v1alpha1.PrivateKey{})
	marks := &leak.Marks{}
	if found := marks.In(mine); found != nil {
		t.Errorf("without marks: found %q", found)
	}
	if err := marks.AddKey("alice", mine); err != nil {
		t.Fatal(err)
	}
	parsed, err := certificate.ParseKey(mine)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(parsed.Public())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{"another key": other, "the public key": public, "nothing": nil, "little": []byte("x")} {
		if found := marks.In(text); found != nil {
			t.Errorf("%s: found %q", what, found)
		}
	}
	if err := marks.AddKey("nobody", public); err == nil {
		t.Error("what is no private key was taken for one")
	}
}

func TestFindsTexts(t *testing.T) {
	token := strings.Repeat("ab", 100) + ".signature-of-a-token-that-is-long-enough-to-tell"
	marks := &leak.Marks{}
	if err := marks.AddText("invitation", token); err != nil {
		t.Fatal(err)
	}
	for begin := range 3 {
		text := strings.Repeat(" ", begin) + token
		for _, form := range []string{text, base64.StdEncoding.EncodeToString([]byte(text))} {
			if found := marks.In([]byte(form)); !slices.Equal(found, []string{"invitation"}) {
				t.Errorf("found %q", found)
			}
		}
	}
	if err := marks.AddText("short", "abc"); err == nil {
		t.Error("a text that is too short was taken")
	}
}
