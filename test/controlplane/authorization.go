// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// AuthorizationClient is the name in the client certificate that API servers show an authorization webhook. kubeadm makes one
// with this name.
const AuthorizationClient = "kube-apiserver-kubelet-client"

// AuthorizationFiles are the files that Authorization speaks of.
type AuthorizationFiles struct {
	// Kubeconfig is where the webhook's will be. Each Authorization has its own: an API server reads it only when the
	// AuthorizationConfiguration has changed.
	Kubeconfig string
	// ClientCert and ClientKey are of the certificate for AuthorizationClient, and ClientCA is that of AuthorizationCA.
	ClientCert, ClientKey, ClientCA string
}

// Authorization is what API servers authorize by.
type Authorization struct {
	// Configuration is an AuthorizationConfiguration in YAML.
	Configuration []byte
	// Kubeconfig is that of the webhook in it.
	Kubeconfig []byte
}

// authorization keeps the files.
type authorization struct {
	ca     *CA
	dir    string
	writes int
}

// AuthorizationCA is the CA of the client certificate that API servers show an authorization webhook. It is nil without
// Options.Authorization.
func (cp *ControlPlane) AuthorizationCA() *CA {
	if cp.authorization == nil {
		return nil
	}
	return cp.authorization.ca
}

// ReplaceAuthorization makes the API servers that run authorize by something else, without a restart, and waits until they do. Those
// that are stopped do so from their next start on.
func (cp *ControlPlane) ReplaceAuthorization(ctx context.Context, by func(AuthorizationFiles) (Authorization, error)) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.authorization == nil {
		return errors.New("replace the authorization: the control plane was started without Options.Authorization")
	}
	configuration, err := cp.authorization.write(by)
	if err != nil {
		return fmt.Errorf("replace the authorization: %w", err)
	}
	hash := fmt.Sprintf(`hash="sha256:%x"`, sha256.Sum256(configuration))
	for _, c := range []Component{APIServer, SecondAPIServer} {
		if !cp.running[c] {
			continue
		}
		err := poll(ctx, startTimeout, string(c)+" reloads its authorization", func(ctx context.Context) error {
			loaded, err := cp.Metric(ctx, c, "apiserver_authorization_config_controller_last_config_info", hash)
			if err == nil && loaded == 0 {
				err = errors.New("it has not yet")
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%w\n%s", err, logTail(cp.Log(c)))
		}
	}
	return nil
}

// prepareAuthorization makes the certificate and writes what the API servers start with, where the options say so.
func (cp *ControlPlane) prepareAuthorization() error {
	if cp.options.Authorization == nil {
		return nil
	}
	ca, err := NewCA("controlplane-authorization-ca", caLifetime)
	if err != nil {
		return err
	}
	cp.authorization = &authorization{ca: ca, dir: filepath.Join(cp.dir, "authorization")}
	cert, key, err := ca.ClientCertificate(AuthorizationClient)
	if err != nil {
		return err
	}
	if err := writePair(cp.authorization.dir, "client", cert, key); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(cp.authorization.dir, "ca.crt"), ca.CertPEM()); err != nil {
		return err
	}
	_, err = cp.authorization.write(cp.options.Authorization)
	return err
}

func (a *authorization) file() string { return filepath.Join(a.dir, "config.yaml") }

// write writes both files and returns the AuthorizationConfiguration. The kubeconfig comes first, since that is what the API server
// watches.
func (a *authorization) write(makes func(AuthorizationFiles) (Authorization, error)) ([]byte, error) {
	a.writes++
	files := AuthorizationFiles{
		Kubeconfig: filepath.Join(a.dir, fmt.Sprintf("webhook-%d.kubeconfig", a.writes)),
		ClientCert: filepath.Join(a.dir, "client.crt"),
		ClientKey:  filepath.Join(a.dir, "client.key"),
		ClientCA:   filepath.Join(a.dir, "ca.crt"),
	}
	made, err := makes(files)
	if err != nil {
		return nil, err
	}
	if err := writeFile(files.Kubeconfig, made.Kubeconfig); err != nil {
		return nil, err
	}
	if err := writeFile(a.file()+".new", made.Configuration); err != nil {
		return nil, err
	}
	return made.Configuration, os.Rename(a.file()+".new", a.file())
}
