// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// makeAdmin makes the administrator's client configuration and kubeconfig.
func (cp *ControlPlane) makeAdmin() error {
	var err error
	cp.admin, err = withCertificate(cp.adminCA, cp.baseConfig(), "controlplane-admin", "system:masters")
	if err != nil {
		return err
	}
	return writeKubeconfig(cp.Kubeconfig(), cp.admin)
}

// writeKubeconfig writes a client configuration with a certificate as a kubeconfig.
func writeKubeconfig(path string, config *rest.Config) error {
	const name = "controlplane"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData,
		ClientKeyData:         config.KeyData,
	}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	return clientcmd.WriteToFile(*kubeconfig, path)
}

// PublishClusterInfo creates the ConfigMap kube-public/cluster-info as kubeadm does: the server's URL and CA.
func (cp *ControlPlane) PublishClusterInfo(ctx context.Context) error {
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[""] = &clientcmdapi.Cluster{Server: cp.URL(), CertificateAuthorityData: cp.ServerCA()}
	info, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return err
	}
	c, err := client.New(cp.admin, client.Options{})
	if err != nil {
		return err
	}
	// The API server makes the namespace itself, soon after it is ready.
	return poll(ctx, startTimeout, "publishing the cluster's address", func(ctx context.Context) error {
		err := c.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: "cluster-info"},
			Data:       map[string]string{"kubeconfig": string(info)},
		})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}
