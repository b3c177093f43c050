// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/load"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authorizationcel "k8s.io/apiserver/pkg/authorization/cel"
	"sigs.k8s.io/yaml"
)

// newCA returns the PEM of a CA.
func newCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// parametersOf returns parameters as the command makes them for a kind of cluster, after the changes given.
func parametersOf(t *testing.T, kind Kind, changes ...func(*Parameters)) Parameters {
	t.Helper()
	p := Parameters{
		Server: "https://10.96.0.99:9445/authorize", TLSServerName: ServerName("client-identity-system"), CertificateAuthorityData: newCA(t),
		ClientCertificate: kind.ClientCertificate, ClientKey: kind.ClientKey, Directory: kind.Directory, FailurePolicy: "NoOpinion",
	}
	if kind.ClientCertificate == "" {
		p.ClientCertificate, p.ClientKey = "/pki/client.crt", "/pki/client.key"
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// filesOf returns the files for a kind of cluster, by name.
func filesOf(t *testing.T, name string, changes ...func(*Parameters)) map[string][]byte {
	t.Helper()
	kind, err := KindOf(name)
	if err != nil {
		t.Fatal(err)
	}
	files, err := kind.Files(parametersOf(t, kind, changes...))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]byte{}
	for _, file := range files {
		byName[file.Name] = file.Content
	}
	return byName
}

// connectionIn returns the kubeconfig among files, and its name.
func connectionIn(t *testing.T, files map[string][]byte) (string, []byte) {
	t.Helper()
	for name, content := range files {
		if strings.HasSuffix(name, ".kubeconfig") {
			return name, content
		}
	}
	t.Fatal("there is no kubeconfig among the files")
	return "", nil
}

// loaded loads an AuthorizationConfiguration as an API server does, with its checks. It looks at the kubeconfig that is named, so
// that one is written first.
func loaded(t *testing.T) *apiserver.AuthorizationConfiguration {
	t.Helper()
	dir := t.TempDir()
	files := filesOf(t, "file", func(p *Parameters) { p.Directory = dir })
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := load.LoadFromFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	if errs := validation.ValidateAuthorizationConfiguration(authorizationcel.NewDefaultCompiler(), nil, config,
		sets.New("Webhook", "Node", "RBAC"), sets.New("Webhook")); len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return config
}

// decode reads a file strictly.
func decode(t *testing.T, content []byte, into any) {
	t.Helper()
	if len(content) == 0 {
		t.Fatal("the file is missing")
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatal(err)
	}
}
