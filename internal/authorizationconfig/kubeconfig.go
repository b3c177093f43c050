// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// apiServer is the user in the kubeconfig, and authorization the context.
const apiServer, authorization = "kube-apiserver", "authorization"

// connection returns the kubeconfig with which the API server asks, and its name. The name tells the content: the API server looks
// at a kubeconfig again only where its AuthorizationConfiguration changes, so that another CA or address takes another name.
func connection(p Parameters) (name string, content []byte, err error) {
	c := clientcmdapi.NewConfig()
	c.Clusters[Authorizer] = &clientcmdapi.Cluster{
		Server:                   p.Server,
		TLSServerName:            p.TLSServerName,
		CertificateAuthorityData: p.CertificateAuthorityData,
	}
	// Paths, which the API server reads again: whoever renews the certificate need not know of this file.
	c.AuthInfos[apiServer] = &clientcmdapi.AuthInfo{ClientCertificate: p.ClientCertificate, ClientKey: p.ClientKey}
	c.Contexts[authorization] = &clientcmdapi.Context{Cluster: Authorizer, AuthInfo: apiServer}
	c.CurrentContext = authorization
	content, err = clientcmd.Write(*c)
	if err != nil {
		return "", nil, fmt.Errorf("encode the kubeconfig: %w", err)
	}
	sum := sha256.Sum256(content)
	return "operator-" + hex.EncodeToString(sum[:4]) + ".kubeconfig", content, nil
}
