// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is how a cluster was made: what tells its API servers where their AuthorizationConfiguration is.
type Kind struct {
	// Name is the value of --for.
	Name string
	// Directory is where the files lie on a control plane node, unless told otherwise.
	Directory string
	// ClientCertificate and ClientKey are what the API server has at hand to show to the operator, and ClientName is the
	// common name in it; empty where there is no telling.
	ClientCertificate, ClientKey, ClientName string
	// files returns the files that this kind of cluster takes.
	files func(Parameters) ([]File, error)
}

// kinds are those that are known, in the order in which they are told.
var kinds = []Kind{
	{
		Name: "kubeadm", Directory: "/etc/kubernetes/authorization",
		ClientCertificate: "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
		ClientKey:         "/etc/kubernetes/pki/apiserver-kubelet-client.key",
		ClientName:        "kube-apiserver-kubelet-client",
		files:             kubeadmFiles,
	},
	{
		Name: "k3s", Directory: "/etc/rancher/k3s/authorization",
		ClientCertificate: "/var/lib/rancher/k3s/server/tls/client-kube-apiserver.crt",
		ClientKey:         "/var/lib/rancher/k3s/server/tls/client-kube-apiserver.key",
		ClientName:        "system:apiserver",
		files:             k3sFiles,
	},
	{
		Name: "rke2", Directory: "/etc/rancher/rke2/authorization",
		ClientCertificate: "/var/lib/rancher/rke2/server/tls/client-kube-apiserver.crt",
		ClientKey:         "/var/lib/rancher/rke2/server/tls/client-kube-apiserver.key",
		ClientName:        "system:apiserver",
		files:             rke2Files,
	},
	{
		// Talos creates files under /var only.
		Name: "talos", Directory: "/var/lib/client-identity-operator/authorization",
		ClientCertificate: "/system/secrets/kubernetes/kube-apiserver/apiserver-kubelet-client.crt",
		ClientKey:         "/system/secrets/kubernetes/kube-apiserver/apiserver-kubelet-client.key",
		ClientName:        "apiserver-kubelet-client",
		files:             talosFiles,
	},
	{Name: "file", Directory: "/etc/kubernetes/authorization", files: plainFiles},
}

// KindNames are the values of --for.
func KindNames() string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.Name
	}
	return strings.Join(names, ", ")
}

// KindOf returns the kind of cluster that --for names.
func KindOf(name string) (Kind, error) {
	i := slices.IndexFunc(kinds, func(kind Kind) bool { return kind.Name == name })
	if i < 0 {
		return Kind{}, fmt.Errorf("--for must say how the cluster was made: one of %s", KindNames())
	}
	return kinds[i], nil
}

// Files returns what to put on each control plane node, in the order in which to put it there.
func (k *Kind) Files(p Parameters) ([]File, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return k.files(p)
}
