// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestParametersForPrefersTheSpec(t *testing.T) {
	known := Cluster{Server: "https://known:6443", CertificateAuthorityData: []byte("known ca"), Name: "prod"}
	for name, test := range map[string]struct {
		template v1alpha1.KubeconfigTemplate
		cluster  Cluster
		want     Parameters
	}{
		"the operator's own knowledge, where the spec says nothing": {
			cluster: known,
			want: Parameters{Server: "https://known:6443", CertificateAuthorityData: []byte("known ca"),
				ClusterName: "prod", ContextName: "alice@prod"},
		},
		"a cluster that nobody named is kubernetes": {
			cluster: Cluster{Server: "https://known:6443"},
			want:    Parameters{Server: "https://known:6443", ClusterName: "kubernetes", ContextName: "alice@kubernetes"},
		},
		"the context follows the name that the spec gives the cluster": {
			template: v1alpha1.KubeconfigTemplate{ClusterName: "mine"},
			cluster:  known,
			want: Parameters{Server: "https://known:6443", CertificateAuthorityData: []byte("known ca"),
				ClusterName: "mine", ContextName: "alice@mine"},
		},
		"everything that the spec says": {
			template: v1alpha1.KubeconfigTemplate{Server: "https://mine", CertificateAuthorityData: []byte("my ca"), TLSServerName: "sni",
				ProxyURL: "http://proxy", ClusterName: "mine", ContextName: "me", Namespace: "dev"},
			cluster: known,
			want: Parameters{Server: "https://mine", CertificateAuthorityData: []byte("my ca"), TLSServerName: "sni",
				ProxyURL: "http://proxy", ClusterName: "mine", ContextName: "me", Namespace: "dev"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice"}, Spec: v1alpha1.ClientIdentitySpec{Kubeconfig: test.template}}
			if got := ParametersFor(id, test.cluster); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestParametersForDoesNotShareTheCA(t *testing.T) {
	cluster := Cluster{CertificateAuthorityData: []byte("ca")}
	ParametersFor(&v1alpha1.ClientIdentity{}, cluster).CertificateAuthorityData[0] = 'x'
	if string(cluster.CertificateAuthorityData) != "ca" {
		t.Error("a change of one identity's parameters changes the cluster's CA")
	}
}

// A failure here means that the encoding changed: every kubeconfig would be rendered anew after an
// upgrade. Raise hashVersion with it, on purpose.
func TestHashIsTheOneThatEarlierVersionsRecorded(t *testing.T) {
	if got, want := parameters().Hash(), "v1:b378fe574b0ecea306248619b45f0a51"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if (Parameters{CertificateAuthorityData: []byte{}}).Hash() != (Parameters{}).Hash() {
		t.Error("an empty CA and none are rendered the same")
	}
}

func TestHashChangesWithEveryParameter(t *testing.T) {
	seen := map[string]string{parameters().Hash(): "nothing"}
	kind := reflect.TypeFor[Parameters]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		changed := parameters(func(p *Parameters) {
			switch field := reflect.ValueOf(p).Elem().Field(i); field.Kind() {
			case reflect.String:
				field.SetString(field.String() + "x")
			default:
				field.SetBytes([]byte("another"))
			}
		})
		if other, found := seen[changed.Hash()]; found {
			t.Errorf("a change of %s has the hash of a change of %s", name, other)
		}
		seen[changed.Hash()] = name
	}
}
