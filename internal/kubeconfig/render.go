// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// maxBytes bounds a kubeconfig that is read: Kubernetes stores no larger Secret (core/v1, MaxSecretSize).
const maxBytes = 1 << 20

// Render returns a kubeconfig with one cluster, one user with the certificate chain and the key embedded,
// and one context, which is the current one. The same arguments give the same bytes. It fails where a
// client could not use the result: without names, certificate or key, or with a server that is no
// https:// URL, since a client certificate is only ever sent over TLS.
func Render(p Parameters, certificatePEM, keyPEM []byte) ([]byte, error) {
	if len(certificatePEM) == 0 || len(keyPEM) == 0 {
		return nil, errors.New("kubeconfig: a certificate and a private key are needed")
	}
	return p.encode(&clientcmdapi.AuthInfo{ClientCertificateData: certificatePEM, ClientKeyData: keyPEM})
}

// encode returns the kubeconfig with that user.
func (p Parameters) encode(user *clientcmdapi.AuthInfo) ([]byte, error) {
	server, err := url.Parse(p.Server)
	switch {
	case err != nil || server.Scheme != "https" || server.Host == "":
		return nil, errors.New("kubeconfig: the server must be an https:// URL")
	case p.ClusterName == "" || p.ContextName == "":
		return nil, errors.New("kubeconfig: the cluster and the context must have names")
	}
	data, err := clientcmd.Write(*p.config(user))
	if err != nil {
		return nil, errors.New("kubeconfig: it could not be encoded")
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("kubeconfig: it would have %d bytes, and a Secret holds at most %d", len(data), maxBytes)
	}
	return data, nil
}

// Read takes a kubeconfig of at most 1 MiB as Render makes it and returns what it was made of. It fails
// for every other one, also if clients could use it: a second user, a token, an exec plugin or an unchecked
// server in a published kubeconfig is not the operator's work, and rendering must replace it.
func Read(data []byte) (p Parameters, certificatePEM, keyPEM []byte, err error) {
	p, err = read(data, func(user *clientcmdapi.AuthInfo) *clientcmdapi.AuthInfo {
		certificatePEM, keyPEM = user.ClientCertificateData, user.ClientKeyData
		return &clientcmdapi.AuthInfo{ClientCertificateData: certificatePEM, ClientKeyData: keyPEM}
	})
	if err != nil {
		return Parameters{}, nil, nil, err
	}
	return p, certificatePEM, keyPEM, nil
}

// read takes a kubeconfig apart. User takes what is wanted of its user, and returns the one that has nothing else: a kubeconfig with
// another one is refused.
func read(data []byte, user func(*clientcmdapi.AuthInfo) *clientcmdapi.AuthInfo) (Parameters, error) {
	none := Parameters{}
	if len(data) > maxBytes {
		return none, fmt.Errorf("kubeconfig: it has %d bytes: at most %d are read", len(data), maxBytes)
	}
	// The error is dropped on purpose: clientcmd's quote the content, private key included.
	loaded, err := clientcmd.Load(data)
	if err != nil {
		return none, errors.New("kubeconfig: it cannot be decoded")
	}
	context := loaded.Contexts[loaded.CurrentContext]
	if context == nil {
		return none, errors.New("kubeconfig: it has no current context")
	}
	cluster, found := loaded.Clusters[context.Cluster], loaded.AuthInfos[context.AuthInfo]
	if cluster == nil || found == nil {
		return none, errors.New("kubeconfig: the cluster or the user of its context is missing")
	}
	p := Parameters{
		Server:                   cluster.Server,
		TLSServerName:            cluster.TLSServerName,
		ProxyURL:                 cluster.ProxyURL,
		ClusterName:              context.Cluster,
		ContextName:              loaded.CurrentContext,
		Namespace:                context.Namespace,
		CertificateAuthorityData: cluster.CertificateAuthorityData,
	}
	// Comparing the whole says that there is nothing else in it, whatever clientcmd may learn to hold.
	if !equality.Semantic.DeepEqual(loaded, p.config(user(found))) {
		return none, errors.New("kubeconfig: it holds something that the operator does not write")
	}
	return p, nil
}

// config returns the kubeconfig in clientcmd's own types.
func (p Parameters) config(user *clientcmdapi.AuthInfo) *clientcmdapi.Config {
	c := clientcmdapi.NewConfig()
	c.Clusters[p.ClusterName] = p.cluster()
	c.AuthInfos[p.ContextName] = user
	c.Contexts[p.ContextName] = &clientcmdapi.Context{Cluster: p.ClusterName, AuthInfo: p.ContextName, Namespace: p.Namespace}
	c.CurrentContext = p.ContextName
	return c
}

// cluster returns the cluster in clientcmd's own types.
func (p Parameters) cluster() *clientcmdapi.Cluster {
	return &clientcmdapi.Cluster{
		Server:                   p.Server,
		TLSServerName:            p.TLSServerName,
		ProxyURL:                 p.ProxyURL,
		CertificateAuthorityData: p.CertificateAuthorityData,
	}
}
