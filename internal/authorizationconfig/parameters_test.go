// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"strings"
	"testing"
)

func TestParametersAreRefusedWithWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Parameters)
		want   string
	}{
		"no certificate":       {func(p *Parameters) { p.ClientCertificate = "" }, "--client-certificate must be set to the path"},
		"a relative key":       {func(p *Parameters) { p.ClientKey = "client.key" }, `--client-key "client.key" must be an absolute path`},
		"a directory with ..":  {func(p *Parameters) { p.Directory = "/etc/../authorization" }, "--node-directory"},
		"the whole node":       {func(p *Parameters) { p.Directory = "/" }, "--node-directory"},
		"an unknown policy":    {func(p *Parameters) { p.FailurePolicy = "deny" }, `--failure-policy "deny" must be NoOpinion or Deny`},
		"no CA":                {func(p *Parameters) { p.CertificateAuthorityData = nil }, "the CA of the operator's serving certificate: the CA bundle has no certificate"},
		"no name of a server":  {func(p *Parameters) { p.TLSServerName = ServerName("a b") }, "set --namespace"},
		"a server without TLS": {func(p *Parameters) { p.Server = "http://10.96.0.99:9445" }, "must be an https:// URL"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, err := KindOf("kubeadm")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kind.Files(parametersOf(t, kind, test.change)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestServersArePutAsTheAPIServerAsksThem(t *testing.T) {
	for server, want := range map[string]string{
		"https://10.96.0.99":                 "https://10.96.0.99:9445/authorize",
		"https://10.96.0.99/":                "https://10.96.0.99:9445/authorize",
		"https://[fd00::1]:443/authorize":    "https://[fd00::1]:443/authorize",
		"https://operator.example.com:8443/": "https://operator.example.com:8443/authorize",
		"10.96.0.99":                         "",
		"http://10.96.0.99":                  "",
		"https://10.96.0.99/audit":           "",
		"https://user:word@10.96.0.99":       "",
		"https://10.96.0.99?a=b":             "",
		"":                                   "",
	} {
		if got, err := ServerURL(server); got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q, want %q (%v)", server, got, want, err)
		}
	}
	for address, want := range map[string]string{"10.96.0.99": "https://10.96.0.99:9445/authorize", "fd00::1": "https://[fd00::1]:9445/authorize", "None": "", "": ""} {
		if got, err := ServiceURL(address); got != want || (err == nil) != (want != "") {
			t.Errorf("the ClusterIP %q becomes %q, want %q (%v)", address, got, want, err)
		}
	}
	if _, err := KindOf("minikube"); err == nil || !strings.Contains(err.Error(), "kubeadm, k3s, rke2, talos, file") {
		t.Errorf("error %v, want the kinds that there are", err)
	}
}
