// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Plugin is the program that gives clients the credential of an identity whose holders make the keys: kubectl clientidentity.
const Plugin = "kubectl-clientidentity"

// installHint is what clients print where that program is not installed.
const installHint = `kubectl-clientidentity is not installed, and this kubeconfig needs it: it keeps the private key on this device and renews the certificate.

Install it (https://github.com/clientidentity/operator/blob/main/docs/guides/holders.md), and enrol this device with an invitation:

  kubectl clientidentity enroll INVITATION`

// ExecUser returns the user of a kubeconfig without a key: clients ask the plugin for the credential of this device. The
// UID tells identities of one name in several clusters apart.
func ExecUser(identity, uid string) *clientcmdapi.AuthInfo {
	return &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion:         "client.authentication.k8s.io/v1",
		Command:            Plugin,
		Args:               []string{"credential", "--identity", identity, "--uid", uid},
		InstallHint:        installHint,
		InteractiveMode:    clientcmdapi.NeverExecInteractiveMode,
		ProvideClusterInfo: true,
	}}
}

// RenderExec returns a kubeconfig as Render does, with the user of ExecUser instead of a certificate and a key: nothing in
// it is secret.
func RenderExec(p Parameters, identity, uid string) ([]byte, error) {
	if identity == "" || uid == "" {
		return nil, errors.New("kubeconfig: the name and the UID of the identity are needed")
	}
	return p.encode(ExecUser(identity, uid))
}

// ReadExec takes a kubeconfig as RenderExec makes it and returns what it was made of. It fails for every other one.
func ReadExec(data []byte) (p Parameters, identity, uid string, err error) {
	p, err = read(data, func(user *clientcmdapi.AuthInfo) *clientcmdapi.AuthInfo {
		if user.Exec != nil && len(user.Exec.Args) == len(ExecUser("", "").Exec.Args) {
			identity, uid = user.Exec.Args[2], user.Exec.Args[4]
		}
		return ExecUser(identity, uid)
	})
	if err == nil && (identity == "" || uid == "") {
		err = errors.New("kubeconfig: its user has no identity")
	}
	if err != nil {
		return Parameters{}, "", "", err
	}
	return p, identity, uid, nil
}
