// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// wantedAs returns alice's Secret in a format, and a credential for it.
func wantedAs(t *testing.T, format v1alpha1.SecretFormat) (Wanted, *Credential) {
	t.Helper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := certificate.ParseIssued(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u1"}}
	alice.Spec.Secret = v1alpha1.SecretTemplate{Format: format, KubeconfigKey: "kubeconfig"}
	parameters := kubeconfig.ParametersFor(alice, kubeconfig.Cluster{Server: "https://api.example.com:6443", CertificateAuthorityData: []byte("CA"), Name: "production"})
	parameters.TLSServerName, parameters.ProxyURL = "api", "http://proxy"
	return Wanted{Identity: alice, Place: client.ObjectKey{Namespace: "n", Name: "alice-kubeconfig"}, Parameters: parameters},
		&Credential{Key: key, Issued: issued, Hash: "h"}
}

func TestFormats(t *testing.T) {
	plain := []string{"ca.crt", "kubeconfig", "tls.crt", "tls.key"}
	hashes := map[string]bool{}
	for format, test := range map[v1alpha1.SecretFormat]struct {
		secretType corev1.SecretType
		more       []string
		labels     map[string]string
	}{
		"":                           {corev1.SecretTypeOpaque, nil, nil},
		v1alpha1.FormatArgoCDCluster: {corev1.SecretTypeOpaque, []string{"config", "name", "server"}, map[string]string{"argocd.argoproj.io/secret-type": "cluster"}},
		v1alpha1.FormatClusterAPI:    {"cluster.x-k8s.io/secret", []string{"value"}, map[string]string{"cluster.x-k8s.io/cluster-name": "alice"}},
	} {
		want, credential := wantedAs(t, format)
		secret, err := want.with(credential)
		if err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(slices.Values(slices.Concat(plain, test.more)))
		if got := slices.Sorted(maps.Keys(secret.Data)); !slices.Equal(got, keys) || secret.Type != test.secretType {
			t.Errorf("%q: keys %q of type %s", format, got, secret.Type)
		}
		for name, value := range test.labels {
			if secret.Labels[name] != value {
				t.Errorf("%q: label %s is %q, want %q", format, name, secret.Labels[name], value)
			}
		}
		hashes[secret.Annotations[v1alpha1.KubeconfigHashAnnotation]] = true
		if format == v1alpha1.FormatClusterAPI && !bytes.Equal(secret.Data["value"], secret.Data["kubeconfig"]) {
			t.Error("ClusterAPI: value is not the kubeconfig")
		}

		// Back to a kubeconfig alone: nothing of the format stays, and what others set does.
		secret.Labels["theirs"] = "1"
		want.Identity.Spec.Secret.Format = v1alpha1.FormatKubeconfig
		back := want.metadata()
		mergeMetadata(back, secret)
		labels := map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: "alice", "theirs": "1"}
		if diff := cmp.Diff(labels, back.Labels); diff != "" {
			t.Errorf("%q: labels after the format is gone (-want +got):\n%s", format, diff)
		}
		hashes[back.Annotations[v1alpha1.KubeconfigHashAnnotation]] = true
	}
	if len(hashes) != 3 {
		t.Errorf("%d hashes of three formats, Kubeconfig being the default", len(hashes))
	}
}

func TestArgoCDClusterHasAllThatAKubeconfigSays(t *testing.T) {
	want, credential := wantedAs(t, v1alpha1.FormatArgoCDCluster)
	secret, err := want.with(credential)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		ProxyURL string `json:"proxyUrl"`
	}
	if json.Unmarshal(secret.Data["config"], &config) != nil || config.ProxyURL != "http://proxy" {
		t.Errorf("proxy %q", config.ProxyURL)
	}
	var tls struct {
		TLS struct {
			Insecure                  bool
			ServerName                string
			CAData, CertData, KeyData []byte
		} `json:"tlsClientConfig"`
	}
	if err := json.Unmarshal(secret.Data["config"], &tls); err != nil {
		t.Fatal("the config is no JSON")
	}
	if string(secret.Data["name"]) != "production" || string(secret.Data["server"]) != "https://api.example.com:6443" ||
		tls.TLS.Insecure || tls.TLS.ServerName != "api" || string(tls.TLS.CAData) != "CA" ||
		!bytes.Equal(tls.TLS.CertData, secret.Data["tls.crt"]) || !bytes.Equal(tls.TLS.KeyData, secret.Data["tls.key"]) {
		t.Errorf("cluster %q at %q for server name %q, or another credential", secret.Data["name"], secret.Data["server"], tls.TLS.ServerName)
	}
}
