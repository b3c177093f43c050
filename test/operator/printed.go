// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"path/filepath"

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/test/controlplane"
)

// NobodyAsked makes API servers authorize as they do without the operator: until ReplaceAuthorization says otherwise.
func NobodyAsked(controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
	return controlplane.Authorization{Configuration: []byte(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
`)}, nil
}

// AsPrinted makes API servers ask the operator at an address, as manager authorization-config prints it. The CA is that of its
// serving certificate.
func AsPrinted(address string, ca []byte) func(controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
	return func(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
		kind, err := authorizationconfig.KindOf("file")
		if err != nil {
			return controlplane.Authorization{}, err
		}
		directory := filepath.Dir(files.Kubeconfig)
		printed, err := kind.Files(authorizationconfig.Parameters{
			Server: "https://" + address + authorizationconfig.Path, TLSServerName: authorizationconfig.ServerName(Namespace), CertificateAuthorityData: ca,
			ClientCertificate: files.ClientCert, ClientKey: files.ClientKey, Directory: directory, FailurePolicy: "NoOpinion",
		})
		if err != nil {
			return controlplane.Authorization{}, err
		}
		kubeconfig, configuration := printed[0], printed[1]
		return controlplane.Authorization{
			Kubeconfig:    kubeconfig.Content,
			Configuration: bytes.ReplaceAll(configuration.Content, []byte(filepath.Join(directory, kubeconfig.Name)), []byte(files.Kubeconfig)),
		}, nil
	}
}
