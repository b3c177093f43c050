// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/clientidentity/operator/internal/machine"
)

func TestTheAPIServerIsTheClients(t *testing.T) {
	for info, want := range map[string]string{
		"": "",
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}`:                                                             "",
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"cluster":{"server":"https://a","tls-server-name":"b","proxy-url":"socks5://c"}}}`: "https://a b socks5://c",
	} {
		target, err := execTarget(info)
		got := ""
		if target != nil {
			got = strings.Join([]string{target.Server, target.TLSServerName, target.ProxyURL}, " ")
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", info, got, err, want)
		}
	}
	for info, want := range map[string]string{
		"{": "cannot be read",
		`{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential"}`: "write that into the exec section",
	} {
		if _, err := execTarget(info); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", info, err)
		}
	}
}

func TestClientsReadTheCredential(t *testing.T) {
	var out bytes.Buffer
	expires := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	if err := writeCredential(&out, machine.Served{Certificate: []byte("c"), Key: []byte("k"), Expires: expires}); err != nil {
		t.Fatal(err)
	}
	read := clientauthenticationv1.ExecCredential{}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.APIVersion != "client.authentication.k8s.io/v1" || read.Kind != "ExecCredential" || read.Status.ClientCertificateData != "c" || read.Status.ClientKeyData != "k" ||
		!read.Status.ExpirationTimestamp.Time.Equal(expires) {
		t.Error("it says something else")
	}
}
