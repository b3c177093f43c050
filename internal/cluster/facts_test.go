// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// kubeadm is cluster-info as kubeadm writes it: one cluster with an empty name, and no context.
const kubeadm = `apiVersion: v1
kind: Config
clusters:
- name: ""
  cluster:
    server: https://info.example.com:6443
    certificate-authority-data: SU5GTw==
contexts: null
current-context: ""
preferences: {}
users: null
`

// named is one with contexts and several clusters.
const named = `apiVersion: v1
kind: Config
clusters:
- {name: other, cluster: {server: "https://other.example.com"}}
- {name: this, cluster: {server: "https://this.example.com"}}
contexts:
- {name: c, context: {cluster: this}}
current-context: c
`

func configMap(name types.NamespacedName, key, value string) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{Data: map[string]string{key: value}}
	cm.Namespace, cm.Name = name.Namespace, name.Name
	return cm
}

func info(value string) *corev1.ConfigMap { return configMap(ClusterInfo, "kubeconfig", value) }

func rootCA() *corev1.ConfigMap { return configMap(RootCA, "ca.crt", "ROOT") }

func TestEndpoint(t *testing.T) {
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(caFile, []byte("FILE"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := &rest.Config{Host: "https://own.example.com", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("OWN")}}
	for name, test := range map[string]struct {
		facts   *Facts
		objects []client.Object
		server  string
		source  v1alpha1.ServerSource
		ca      string
	}{
		"the flag comes first": {
			&Facts{Server: "https://flag.example.com", Connection: own}, []client.Object{info(kubeadm), rootCA()}, "https://flag.example.com", v1alpha1.ServerFromFlag, "ROOT"},
		"the flag's CA comes first": {
			&Facts{Server: "https://flag.example.com", CA: []byte("FLAG"), Connection: own}, []client.Object{info(kubeadm), rootCA()}, "https://flag.example.com", v1alpha1.ServerFromFlag, "FLAG"},
		"a cluster-info that nobody can read does not matter where the flag is set": {
			&Facts{Server: "https://flag.example.com", Connection: own}, []client.Object{info("{{not a kubeconfig"), rootCA()}, "https://flag.example.com", v1alpha1.ServerFromFlag, "ROOT"},
		"then cluster-info as kubeadm writes it, with its CA": {
			&Facts{Connection: own}, []client.Object{info(kubeadm), rootCA()}, "https://info.example.com:6443", v1alpha1.ServerFromClusterInfo, "INFO"},
		"with the flag's CA": {
			&Facts{CA: []byte("FLAG"), Connection: own}, []client.Object{info(kubeadm), rootCA()}, "https://info.example.com:6443", v1alpha1.ServerFromClusterInfo, "FLAG"},
		"in a pod too": {
			&Facts{Connection: own, InCluster: true}, []client.Object{info(kubeadm)}, "https://info.example.com:6443", v1alpha1.ServerFromClusterInfo, "INFO"},
		"the cluster of the current context where there are several, and the published CA where it has none": {
			&Facts{Connection: own}, []client.Object{info(named), rootCA()}, "https://this.example.com", v1alpha1.ServerFromClusterInfo, "ROOT"},
		"then the own connection outside the cluster": {
			&Facts{Connection: own}, []client.Object{rootCA()}, "https://own.example.com", v1alpha1.ServerFromConnection, "ROOT"},
		"also where cluster-info names no server": {
			&Facts{Connection: own}, []client.Object{info("apiVersion: v1\nkind: Config\nclusters:\n- {name: x, cluster: {}}\n"), rootCA()}, "https://own.example.com", v1alpha1.ServerFromConnection, "ROOT"},
		"or does not say which of several": {
			&Facts{Connection: own}, []client.Object{info(strings.Replace(named, "current-context: c", "", 1)), rootCA()}, "https://own.example.com", v1alpha1.ServerFromConnection, "ROOT"},
		"or has no kubeconfig": {
			&Facts{Connection: own}, []client.Object{configMap(ClusterInfo, "other", "x"), rootCA()}, "https://own.example.com", v1alpha1.ServerFromConnection, "ROOT"},
		"but nothing in a pod, whose service IP helps nobody": {
			&Facts{Connection: own, InCluster: true}, []client.Object{rootCA()}, "", "", "ROOT"},
		"the own CA where the cluster publishes none": {
			&Facts{Connection: own}, nil, "https://own.example.com", v1alpha1.ServerFromConnection, "OWN"},
		"or its file": {
			&Facts{Connection: &rest.Config{Host: "h", TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}}}, nil, "h", v1alpha1.ServerFromConnection, "FILE"},
		"and none where the machine's own roots are trusted": {
			&Facts{Connection: &rest.Config{Host: "h"}}, nil, "h", v1alpha1.ServerFromConnection, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.facts.Reader = fake.NewClientBuilder().WithObjects(test.objects...).Build()
			got, err := test.facts.Endpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Server != test.server || got.Source != test.source || string(got.CA) != test.ca {
				t.Errorf("got %s (%s) with CA %q, want %s (%s) with CA %q", got.Server, got.Source, got.CA, test.server, test.source, test.ca)
			}
		})
	}
}

func TestEndpointSaysWhatCannotBeRead(t *testing.T) {
	broken := func(name types.NamespacedName) client.Reader {
		return fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
				if key == name {
					return errors.New("no cache")
				}
				return c.Get(ctx, key, object, opts...)
			},
		}).Build()
	}
	connection := &rest.Config{Host: "h", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere"}}
	for name, test := range map[string]struct {
		facts *Facts
		want  string
	}{
		"a cluster-info that is no kubeconfig": {&Facts{Reader: fake.NewClientBuilder().WithObjects(info("{{not a kubeconfig")).Build()},
			"ConfigMap kube-public/cluster-info: key kubeconfig cannot be read: correct it, or start the operator with --kubeconfig-server: yaml"},
		"a ConfigMap that cannot be read": {&Facts{Reader: broken(ClusterInfo)}, "read ConfigMap kube-public/cluster-info: no cache"},
		"a CA that cannot be read":        {&Facts{Reader: broken(RootCA)}, "read ConfigMap kube-system/kube-root-ca.crt: no cache"},
		"a CA file that is not there":     {&Facts{Reader: fake.NewClientBuilder().Build()}, "read the CA of the operator's own connection: open /nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			test.facts.Connection = connection
			if _, err := test.facts.Endpoint(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAClusterInfoIsReadOnceAndAgainWhereItChanges(t *testing.T) {
	there := info(kubeadm)
	api := fake.NewClientBuilder().WithObjects(there).Build()
	facts := &Facts{Reader: api, Connection: &rest.Config{Host: "h"}}
	endpoint := func() string {
		t.Helper()
		found, err := facts.Endpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found.Server
	}
	first := endpoint()
	once := facts.parsed.Load()
	if second := endpoint(); second != first || facts.parsed.Load() != once {
		t.Errorf("got %s and %s, or it was parsed twice", first, second)
	}
	there.Data["kubeconfig"] = named
	if err := api.Update(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	if third := endpoint(); third != "https://this.example.com" {
		t.Errorf("got %s once it has changed", third)
	}
}
