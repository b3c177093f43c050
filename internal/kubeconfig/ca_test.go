// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"testing"
)

func TestValidateCASaysWhatToDo(t *testing.T) {
	ca, key := credential()
	block, _ := pem.Decode(ca)
	damaged := bytes.Replace(ca, []byte("\nM"), []byte("\n*"), 1)
	for name, test := range map[string]struct {
		bundle []byte
		want   string
	}{
		"one certificate":              {ca, ""},
		"several, with comments":       {slices.Concat([]byte("# old\n"), ca, []byte("# new\n"), ca, []byte("# end")), ""},
		"nothing":                      {nil, "has no certificate"},
		"a comment only":               {[]byte("# none"), "has no certificate"},
		"base64 encoded twice":         {[]byte(base64.StdEncoding.EncodeToString(ca)), "base64-encoded once"},
		"DER":                          {block.Bytes, "has no certificate"},
		"a private key":                {append(bytes.Clone(ca), key...), "block 2 of the CA bundle is not a plain CERTIFICATE"},
		"a header":                     {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: block.Bytes}), "not a plain CERTIFICATE"},
		"no certificate inside":        {encodeBlock("CERTIFICATE", block.Bytes[1:]), "block 1 of the CA bundle is not a certificate"},
		"a damaged block":              {damaged, "block 1 of the CA bundle is damaged"},
		"a damaged one before another": {append(bytes.Clone(damaged), ca...), "block 1 of the CA bundle is damaged"},
		"a damaged one after another":  {append(bytes.Clone(ca), damaged...), "block 2 of the CA bundle is damaged"},
		"a block that was cut":         {ca[:len(ca)-10], "block 1 of the CA bundle is damaged"},
		"a damaged key":                {bytes.Replace(key, []byte("\nM"), []byte("\n*"), 1), "is damaged"},
		"more than 256 KiB":            {append(bytes.Repeat([]byte("\n"), 256<<10), ca...), "at most 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ValidateCA(test.bundle)
			wantError(t, err, test.want)
			if err != nil {
				wantNoSecret(t, err, key)
			}
		})
	}
}
