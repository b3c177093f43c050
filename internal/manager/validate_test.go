// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	options := DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(&bytes.Buffer{})
	options.BindFlags(flags)
	return options, flags.Parse(args)
}

func TestValidateSaysWhichFlagIsWrong(t *testing.T) {
	caFile := writeCA(t)
	for name, test := range map[string]struct {
		args []string
		want []string // nothing where all is right
	}{
		"the defaults":                  {nil, nil},
		"a server":                      {[]string{"--kubeconfig-server=https://api.example.com:6443"}, nil},
		"a server without TLS":          {[]string{"--kubeconfig-server=http://api.example.com"}, []string{`--kubeconfig-server "http://api.example.com" must be an https:// URL`}},
		"a server without a scheme":     {[]string{"--kubeconfig-server=api.example.com"}, []string{`--kubeconfig-server "api.example.com" must be an https:// URL`}},
		"a server without a host":       {[]string{"--kubeconfig-server=https://"}, []string{`--kubeconfig-server "https://" must be an https:// URL`}},
		"no bound of the ttl":           {[]string{"--max-ttl=0"}, nil},
		"the least bound of the ttl":    {[]string{"--max-ttl=10m"}, nil},
		"less than that":                {[]string{"--max-ttl=9m59s"}, []string{"--max-ttl 9m59s must be at least 10m0s, the shortest lifetime that Kubernetes signs, or 0 for no bound"}},
		"a negative bound":              {[]string{"--max-ttl=-1h"}, []string{"--max-ttl -1h0m0s must be at least 10m0s"}},
		"no signer":                     {[]string{"--allowed-signers="}, []string{"--allowed-signers names no signer"}},
		"only commas for signers":       {[]string{"--allowed-signers= , ,"}, []string{"--allowed-signers names no signer"}},
		"nobody to work":                {[]string{"--concurrent-reconciles=0"}, []string{"--concurrent-reconciles 0 must be at least 1"}},
		"a namespace that cannot exist": {[]string{"--secret-namespaces=A,client-identities"}, []string{`--secret-namespaces: "A" is no name of a namespace: `}},
		"audit events":                  {[]string{"--audit-webhook-bind-address=:9444", "--audit-webhook-client-ca-file=" + caFile, "--audit-webhook-client-name=kube-apiserver"}, nil},
		"audit events from anybody": {[]string{"--audit-webhook-bind-address=:9444"},
			[]string{"--audit-webhook-client-ca-file must be set", "--audit-webhook-client-name must be set"}},
		"dormancy that nobody watches": {[]string{"--dormant-after=2160h"}, []string{"--dormant-after needs --audit-webhook-bind-address"}},
		"dormancy after too short a time": {
			[]string{"--dormant-after=2h59m", "--audit-webhook-bind-address=:9444", "--audit-webhook-client-ca-file=" + caFile, "--audit-webhook-client-name=a"},
			[]string{"--dormant-after 2h59m0s must be at least 3h0m0s"},
		},
		"audit events nowhere": {[]string{"--audit-webhook-bind-address=9444", "--audit-webhook-client-ca-file=validate_test.go"},
			[]string{`--audit-webhook-bind-address "9444" must be an address with a port`, `--audit-webhook-client-ca-file "validate_test.go" holds no certificate`}},
		"all of it at once": {[]string{"--allowed-signers=", "--concurrent-reconciles=-1", "--max-ttl=1s", "--kubeconfig-server=x"},
			[]string{"--allowed-signers", "--concurrent-reconciles -1", "--max-ttl 1s", `--kubeconfig-server "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			options, err := parse(t, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			err = options.Validate()
			if (err == nil) != (len(test.want) == 0) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

// writeCA writes a certificate (PEM) to a file and returns its path.
func writeCA(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsSetTheOptions(t *testing.T) {
	caFile := writeCA(t)
	options, err := parse(t,
		"--metrics-bind-address=:8443", "--metrics-secure=false", "--health-probe-bind-address=0", "--leader-elect", "--leader-election-namespace=here",
		"--secret-namespaces=a, b,,a", "--default-secret-namespace=b", "--kubeconfig-server=https://s", "--kubeconfig-certificate-authority=/ca",
		"--cluster-name=prod", "--max-ttl=1h", "--allowed-signers=example.com/x,example.com/y", "--concurrent-reconciles=3",
		"--audit-webhook-bind-address=:9444", "--audit-webhook-client-ca-file="+caFile, "--audit-webhook-client-name=kube-apiserver", "--dormant-after=2160h")
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultOptions()
	want.MetricsBindAddress, want.MetricsSecure, want.HealthProbeBindAddress = ":8443", false, "0"
	want.LeaderElect, want.LeaderElectionNamespace = true, "here"
	want.SecretNamespaces, want.DefaultSecretNamespace = []string{"a", "b"}, "b"
	want.KubeconfigServer, want.KubeconfigCAFile, want.ClusterName = "https://s", "/ca", "prod"
	want.MaxTTL, want.AllowedSigners, want.ConcurrentReconciles = time.Hour, []string{"example.com/x", "example.com/y"}, 3
	want.Audit.BindAddress, want.Audit.ClientCAFile, want.Audit.ClientName = ":9444", caFile, "kube-apiserver"
	want.Audit.DormantAfter = 2160 * time.Hour
	if !reflect.DeepEqual(options, want) {
		t.Errorf("got  %+v\nwant %+v", options, want)
	}
	if err := options.Validate(); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"--max-ttl=90d"}, {"--concurrent-reconciles=many"}, {"--no-such-flag"}} {
		if _, err := parse(t, args...); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestEveryFlagSaysWhatItDoes(t *testing.T) {
	options := DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	options.BindFlags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		if len(f.Usage) < 20 || !slices.Contains([]byte(".)"), f.Usage[len(f.Usage)-1]) {
			t.Errorf("--%s says %q", f.Name, f.Usage)
		}
	})
}
