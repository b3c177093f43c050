// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package cluster says what this cluster is: the URL of its API server as clients reach it, and the CA
// that signed the API server's certificate.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var (
	// ClusterInfo is the ConfigMap in which kubeadm publishes the URL and CA of the API server, as a
	// kubeconfig without a user.
	// https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/#create-the-public-cluster-info-configmap
	ClusterInfo = types.NamespacedName{Namespace: "kube-public", Name: "cluster-info"}

	// RootCA is the ConfigMap in which kube-controller-manager publishes the CA of the API server. The copy
	// in kube-system is read, since tenants may be able to edit the one in their namespace.
	RootCA = types.NamespacedName{Namespace: "kube-system", Name: "kube-root-ca.crt"}
)

// ErrServerUnknown says that nothing tells the URL under which clients reach the API server.
var ErrServerUnknown = errors.New("the URL of the API server is not known: set spec.kubeconfig.server, " +
	"or start the operator with --kubeconfig-server (the operator's own address of it, a service IP, helps nobody outside the cluster)")

// ErrClusterInfo says that the cluster-info of this cluster is no kubeconfig.
var ErrClusterInfo = fmt.Errorf("ConfigMap %s: key kubeconfig cannot be read: correct it, or start the operator with --kubeconfig-server", ClusterInfo)

// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=cluster-info,namespace=kube-public,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=kube-root-ca.crt,namespace=kube-system,verbs=get;list;watch

// Endpoint is the API server as clients reach it.
type Endpoint struct {
	// Server is the URL; empty where nothing tells it.
	Server string
	// Source is who said so.
	Source v1alpha1.ServerSource
	// CA is the bundle (PEM) that the API server's certificate is checked against. Empty means the
	// client's own roots.
	CA []byte
}

// Facts finds out what this cluster is.
type Facts struct {
	// Reader reads ConfigMaps, from a cache.
	Reader client.Reader
	// Server is the flag --kubeconfig-server.
	Server string
	// CA is the content of the file of the flag --kubeconfig-certificate-authority.
	CA []byte
	// Connection is the operator's own connection to the API server.
	Connection *rest.Config
	// InCluster is true where the operator runs in a pod: its own URL of the API server is then a service IP.
	InCluster bool

	// parsed is the cluster-info that was read last: each pass over each identity asks for it.
	parsed atomic.Pointer[parsedInfo]
}

// parsedInfo is what a cluster-info says: not to be changed.
type parsedInfo struct {
	data    string
	cluster *clientcmdapi.Cluster
	err     error
}

// Endpoint returns the API server as clients of this cluster reach it: the flag, then cluster-info, then
// the operator's own connection where it runs outside the cluster. Server is empty where none of them
// tells; the CA may still be known. Errors are those of reading, and ErrClusterInfo.
func (f *Facts) Endpoint(ctx context.Context) (Endpoint, error) {
	var info *clientcmdapi.Cluster
	var err error
	if f.Server == "" {
		if info, err = f.clusterInfo(ctx); err != nil {
			return Endpoint{}, err
		}
	}
	endpoint := Endpoint{}
	switch {
	case f.Server != "":
		endpoint.Server, endpoint.Source = f.Server, v1alpha1.ServerFromFlag
	case info != nil:
		endpoint.Server, endpoint.Source = info.Server, v1alpha1.ServerFromClusterInfo
		endpoint.CA = info.CertificateAuthorityData
	case !f.InCluster:
		endpoint.Server, endpoint.Source = f.Connection.Host, v1alpha1.ServerFromConnection
	}
	if len(f.CA) > 0 {
		endpoint.CA = f.CA
	}
	if len(endpoint.CA) == 0 {
		endpoint.CA, err = f.rootCA(ctx)
	}
	return endpoint, err
}

// clusterInfo returns the cluster that kube-public/cluster-info describes, or nil where there is none.
func (f *Facts) clusterInfo(ctx context.Context) (*clientcmdapi.Cluster, error) {
	data, err := f.read(ctx, ClusterInfo, "kubeconfig")
	if err != nil || data == "" {
		return nil, err
	}
	last := f.parsed.Load()
	if last == nil || last.data != data {
		last = &parsedInfo{data: data}
		last.cluster, last.err = parseInfo(data)
		f.parsed.Store(last)
	}
	return last.cluster, last.err
}

// parseInfo returns the cluster that a kubeconfig describes, or nil where it describes none.
func parseInfo(data string) (*clientcmdapi.Cluster, error) {
	config, err := clientcmd.Load([]byte(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClusterInfo, err)
	}
	if current, ok := config.Contexts[config.CurrentContext]; ok {
		if cluster, ok := config.Clusters[current.Cluster]; ok && cluster.Server != "" {
			return cluster, nil
		}
	}
	// kubeadm writes one cluster, with an empty name and no context.
	if len(config.Clusters) == 1 {
		for _, cluster := range config.Clusters {
			if cluster.Server != "" {
				return cluster, nil
			}
		}
	}
	return nil, nil
}

// rootCA returns the CA that the cluster publishes, or the one that the operator itself trusts.
func (f *Facts) rootCA(ctx context.Context) ([]byte, error) {
	data, err := f.read(ctx, RootCA, "ca.crt")
	if err != nil {
		return nil, err
	}
	if data != "" {
		return []byte(data), nil
	}
	if len(f.Connection.CAData) > 0 || f.Connection.CAFile == "" {
		return f.Connection.CAData, nil
	}
	ca, err := os.ReadFile(f.Connection.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the CA of the operator's own connection: %w", err)
	}
	return ca, nil
}

// read returns a key of a ConfigMap, or "" where there is no such ConfigMap or key.
func (f *Facts) read(ctx context.Context, name types.NamespacedName, key string) (string, error) {
	var configMap corev1.ConfigMap
	if err := f.Reader.Get(ctx, name, &configMap); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("read ConfigMap %s: %w", name, err)
	}
	return configMap.Data[key], nil
}
