// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// kubeletClient are the files of the certificate that the API server shows kubelets.
const kubeletClient = "kubelet-client"

// Nodes make a control plane that nodes can join: pods reach the API server, which reaches the kubelets; kubelets may touch what is
// theirs alone; every controller runs.
type Nodes struct {
	// Address is the IP address at which the API server listens and is advertised. Kubelets and pods reach it there.
	Address string
	// ServiceCIDR is where Services get their addresses; the API server has the first one.
	ServiceCIDR string
}

// WriteKubeconfig writes a kubeconfig of any user, with a certificate from the current signing CA.
func (cp *ControlPlane) WriteKubeconfig(path, user string, groups ...string) error {
	config, err := cp.ConfigFor(user, groups...)
	if err != nil {
		return err
	}
	return writeKubeconfig(path, config)
}

// ServerCertificate returns a certificate of a server with these names and IP addresses, and its private key, both in PEM. It comes
// from the CA of the API server's own.
func (cp *ControlPlane) ServerCertificate(names ...string) (certPEM, keyPEM []byte, err error) {
	return cp.serverCA.ServerCertificate(names...)
}

// ClientCAFile returns the path of the CAs that client certificates come from.
func (cp *ControlPlane) ClientCAFile() string { return cp.clientCAs.file }

// address is where the API server listens.
func (cp *ControlPlane) address() string {
	if cp.options.Nodes == nil {
		return loopback
	}
	return cp.options.Nodes.Address
}

// serverNames are what the API server is known by, beside the loopback interface.
func (cp *ControlPlane) serverNames() ([]string, error) {
	names := append([]string{"kubernetes.default.svc"}, cp.options.State.ServerNames...)
	nodes := cp.options.Nodes
	if nodes == nil {
		return names, nil
	}
	services, err := netip.ParsePrefix(nodes.ServiceCIDR)
	if err != nil {
		return nil, fmt.Errorf("addresses of Services: %w", err)
	}
	return append(names, nodes.Address, services.Masked().Addr().Next().String()), nil
}

// makeKubeletClient makes the certificate that the API server shows kubelets.
func (cp *ControlPlane) makeKubeletClient() error {
	if cp.options.Nodes == nil {
		return nil
	}
	cert, key, err := cp.adminCA.ClientCertificate("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	return writePair(cp.pki(), kubeletClient, cert, key)
}

// configureForNodes sets the API server's flags, where the options say that nodes are to join.
func (cp *ControlPlane) configureForNodes(args *envtest.Arguments) {
	nodes := cp.options.Nodes
	if nodes == nil {
		return
	}
	args.Set("advertise-address", nodes.Address)
	args.Set("service-cluster-ip-range", nodes.ServiceCIDR)
	args.Set("authorization-mode", "Node", "RBAC")
	args.Append("enable-admission-plugins", "NodeRestriction")
	args.Set("kubelet-client-certificate", filepath.Join(cp.pki(), kubeletClient+".crt"))
	args.Set("kubelet-client-key", filepath.Join(cp.pki(), kubeletClient+".key"))
	args.Set("kubelet-certificate-authority", cp.serverCAFile())
	args.Set("kubelet-preferred-address-types", "InternalIP")
}

// controllers are those that the controller manager runs.
func (cp *ControlPlane) controllers() []string {
	all := append([]string{}, DefaultControllers...)
	if cp.options.Nodes != nil {
		all = append(all, "*")
	}
	return append(all, cp.options.Controllers...)
}
