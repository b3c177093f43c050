// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnlyTheAPIServerIsLetThrough(t *testing.T) {
	options := Options{Flags: "--some-webhook", ClientName: "kube-apiserver"}
	guarded := options.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	verified := func(name string) *tls.ConnectionState {
		return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: name}}}}}
	}
	unverified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "kube-apiserver"}}}}
	for name, test := range map[string]struct {
		connection *tls.ConnectionState
		want       int
	}{
		"the API server":            {verified("kube-apiserver"), http.StatusNoContent},
		"another client of its CA":  {verified("kubernetes-admin"), http.StatusForbidden},
		"a client without a name":   {verified(""), http.StatusForbidden},
		"one of another CA":         {unverified, http.StatusUnauthorized},
		"one without a certificate": {&tls.ConnectionState{}, http.StatusUnauthorized},
		"one without TLS":           {nil, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.TLS = test.connection
			w := httptest.NewRecorder()
			if guarded.ServeHTTP(w, r); w.Code != test.want {
				t.Errorf("code %d, want %d", w.Code, test.want)
			}
		})
	}
}

func TestWhatIsWrongIsSaidInTermsOfTheFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no port":      {Options{Address: "localhost"}, "--some-webhook-bind-address"},
		"port 0":       {Options{Address: ":0"}, "--some-webhook-bind-address"},
		"no CA":        {Options{Address: ":1"}, "--some-webhook-client-ca-file must be set"},
		"a missing CA": {Options{Address: ":1", ClientCAFile: empty + ".not"}, "--some-webhook-client-ca-file: open"},
		"an empty CA":  {Options{Address: ":1", ClientCAFile: empty}, "holds no certificate"},
		"no name":      {Options{Address: ":1"}, "--some-webhook-client-name must be set"},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.Flags = "--some-webhook"
			if err := test.options.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
