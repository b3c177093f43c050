// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestTheKubeconfigHasPathsAndNoSecret(t *testing.T) {
	ca := newCA(t)
	name, content := connectionIn(t, filesOf(t, "kubeadm", func(p *Parameters) { p.CertificateAuthorityData = ca }))
	config, err := clientcmd.Load(content)
	if err != nil {
		t.Fatal(err)
	}
	context := config.Contexts[config.CurrentContext]
	if diff := cmp.Diff(&clientcmdapi.Cluster{
		Server: "https://10.96.0.99:9445/authorize", TLSServerName: "client-identity-operator-webhook.client-identity-system.svc", CertificateAuthorityData: ca,
	}, config.Clusters[context.Cluster], cmpopts.IgnoreFields(clientcmdapi.Cluster{}, "Extensions")); diff != "" {
		t.Errorf("the operator, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(&clientcmdapi.AuthInfo{
		ClientCertificate: "/etc/kubernetes/pki/apiserver-kubelet-client.crt", ClientKey: "/etc/kubernetes/pki/apiserver-kubelet-client.key",
	}, config.AuthInfos[context.AuthInfo], cmpopts.IgnoreFields(clientcmdapi.AuthInfo{}, "Extensions")); diff != "" {
		t.Errorf("the API server, -want +got:\n%s", diff)
	}
	if !strings.HasPrefix(string(content), "# /etc/kubernetes/authorization/"+name) {
		t.Error("the file does not say where it goes")
	}
}

// The API server looks at a kubeconfig again only where the other file changes.
func TestAnotherCAOrAddressChangesTheConfiguration(t *testing.T) {
	ca := newCA(t)
	base := filesOf(t, "file", func(p *Parameters) { p.CertificateAuthorityData = ca })
	same := filesOf(t, "file", func(p *Parameters) { p.CertificateAuthorityData = ca })
	if diff := cmp.Diff(base, same); diff != "" {
		t.Errorf("the same cluster gives other files:\n%s", diff)
	}
	for name, change := range map[string]func(*Parameters){
		"CA":      func(p *Parameters) { p.CertificateAuthorityData = slices.Concat(ca, newCA(t)) },
		"address": func(p *Parameters) { p.CertificateAuthorityData, p.Server = ca, "https://10.96.0.98:9445/authorize" },
	} {
		if bytes.Equal(filesOf(t, "file", change)[configFile], base[configFile]) {
			t.Errorf("another %s leaves the AuthorizationConfiguration as it is", name)
		}
	}
}

func TestEachKindOfClusterIsToldWhereTheFilesAre(t *testing.T) {
	want := map[string][]string{
		"kubeadm": {configFile, "kubeadm.yaml", "operator.kubeconfig"},
		"k3s":     {configFile, "k3s.yaml", "operator.kubeconfig"},
		"rke2":    {configFile, "operator.kubeconfig", "rke2.yaml"},
		"talos":   {"talos.yaml"},
		"file":    {configFile, "operator.kubeconfig"},
	}
	for _, kind := range kinds {
		files := filesOf(t, kind.Name)
		var names []string
		for name := range files {
			if strings.HasSuffix(name, ".kubeconfig") {
				name = "operator.kubeconfig"
			}
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, want[kind.Name]) {
			t.Errorf("%s gets %v, want %v", kind.Name, names, want[kind.Name])
		}
		if _, plain := files[configFile]; !plain {
			continue
		}
		var config apiserverv1.AuthorizationConfiguration
		decode(t, files[configFile], &config)
		name, _ := connectionIn(t, files)
		if at := *config.Authorizers[0].Webhook.ConnectionInfo.KubeConfigFile; at != path.Join(kind.Directory, name) {
			t.Errorf("%s looks for the kubeconfig in %s", kind.Name, at)
		}
	}
	if len(want) != len(kinds) {
		t.Errorf("kinds of clusters without a row: %v and %d", slices.Collect(maps.Keys(want)), len(kinds))
	}
}

func TestKubeadmMountsTheFolderThatItsFlagNames(t *testing.T) {
	var config clusterConfiguration
	decode(t, filesOf(t, "kubeadm")["kubeadm.yaml"], &config)
	want := controlPlaneComponent{
		ExtraArgs: []arg{{Name: "authorization-config", Value: "/etc/kubernetes/authorization/authorization.yaml"}},
		ExtraVolumes: []hostPathMount{{Name: "authorization", HostPath: "/etc/kubernetes/authorization",
			MountPath: "/etc/kubernetes/authorization", ReadOnly: true, PathType: "Directory"}},
	}
	if diff := cmp.Diff(want, config.APIServer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestK3sAndRKE2AddToWhatOtherFilesSet(t *testing.T) {
	for distribution, want := range map[string]rancherConfig{
		"k3s": {KubeAPIServerArg: []string{"authorization-config=/etc/rancher/k3s/authorization/authorization.yaml"}},
		"rke2": {KubeAPIServerArg: []string{"authorization-config=/etc/rancher/rke2/authorization/authorization.yaml"},
			KubeAPIServerExtraMount: []string{"/etc/rancher/rke2/authorization:/etc/rancher/rke2/authorization:ro"}},
	} {
		var config rancherConfig
		decode(t, filesOf(t, distribution)[distribution+".yaml"], &config)
		if diff := cmp.Diff(want, config); diff != "" {
			t.Errorf("%s, -want +got:\n%s", distribution, diff)
		}
	}
}

func TestTalosMountsTheKubeconfigAndNamesEachAuthorizer(t *testing.T) {
	var patch talosPatch
	decode(t, filesOf(t, "talos")["talos.yaml"], &patch)
	file, server := patch.Machine.Files[0], patch.Cluster.APIServer
	if !strings.HasPrefix(file.Path, "/var/") || file.Permissions != 0o644 || file.Op != "create" {
		t.Errorf("Talos creates files under /var only, and its API server is not root: %s, %o, %s", file.Path, file.Permissions, file.Op)
	}
	if _, err := clientcmd.Load([]byte(file.Content)); err != nil {
		t.Error("the content is no kubeconfig")
	}
	if path.Dir(file.Path) != server.ExtraVolumes[0].HostPath || server.ExtraVolumes[0].MountPath != server.ExtraVolumes[0].HostPath {
		t.Errorf("%s is not in %+v", file.Path, server.ExtraVolumes[0])
	}
	if len(server.AuthorizationConfig) != 3 || *server.AuthorizationConfig[0].Webhook.ConnectionInfo.KubeConfigFile != file.Path {
		t.Errorf("unexpected authorizers: %+v", server.AuthorizationConfig)
	}
}

func TestTheOverlayFitsKubeadm(t *testing.T) {
	component, err := os.ReadFile(filepath.Join("..", "..", "config", "overlays", "authorization-webhook", "component", "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kind, err := KindOf("kubeadm")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--authorization-webhook-client-name=" + kind.ClientName + "\n",
		fmt.Sprintf("--authorization-webhook-bind-address=:%d\n", Port),
		fmt.Sprintf("{name: authorization, containerPort: %d}", Port),
		fmt.Sprintf("{name: authorization, port: %d, targetPort: authorization}", Port),
		"name: " + Service + "\n",
	} {
		if !strings.Contains(string(component), want) {
			t.Errorf("the overlay has no %q", want)
		}
	}
}
