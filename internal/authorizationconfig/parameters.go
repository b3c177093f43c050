// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

const (
	// Path is where the operator answers.
	Path = "/authorize"
	// Port is the port of its Service that the overlay opens.
	Port = 9445
	// Service is the name of that Service.
	Service = "client-identity-operator-webhook"
	// MinimumMinor is the first minor version of Kubernetes 1 that knows each field that is written.
	MinimumMinor = 34
)

// Parameters are what differs between clusters. None of it is secret.
type Parameters struct {
	// Server is the URL that the API server asks, with Path.
	Server string
	// TLSServerName is the name in the serving certificate.
	TLSServerName string
	// CertificateAuthorityData is the CA bundle (PEM) of that certificate.
	CertificateAuthorityData []byte
	// ClientCertificate and ClientKey are the paths of what the API server shows, on its node.
	ClientCertificate, ClientKey string
	// Directory is where the files lie on that node.
	Directory string
	// FailurePolicy says what counts where the operator does not answer: NoOpinion or Deny.
	FailurePolicy string
}

// ServiceURL returns the URL to ask at an address of the Service.
func ServiceURL(clusterIP string) (string, error) {
	address, err := netip.ParseAddr(clusterIP)
	if err != nil {
		return "", fmt.Errorf("the Service %s has no ClusterIP that could be asked (%q): set --server to an address that the API server reaches", Service, clusterIP)
	}
	return "https://" + netip.AddrPortFrom(address, Port).String() + Path, nil
}

// ServerURL returns what --server means: the path may be left away.
func ServerURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Path != "" && u.Path != "/" && u.Path != Path) {
		return "", fmt.Errorf("--server %q must be an https:// URL of the operator, such as https://10.96.0.99:%d", server, Port)
	}
	if port := u.Port(); port == "" {
		u.Host += ":" + strconv.Itoa(Port)
	}
	u.Path = Path
	return u.String(), nil
}

// ServerName returns the name in the operator's serving certificate.
func ServerName(namespace string) string { return Service + "." + namespace + ".svc" }

// ValidateNode returns what is wrong with what is said of the node and the policy, all of it, in terms of the flags.
func (p *Parameters) ValidateNode() error {
	errs := []error{
		checkFile("--client-certificate", p.ClientCertificate, "the certificate that the API server shows to the operator"),
		checkFile("--client-key", p.ClientKey, "its key"),
		checkFile("--node-directory", p.Directory, "the directory for the files"),
	}
	if p.FailurePolicy != apiserverv1.FailurePolicyNoOpinion && p.FailurePolicy != apiserverv1.FailurePolicyDeny {
		errs = append(errs, fmt.Errorf("--failure-policy %q must be %s or %s", p.FailurePolicy, apiserverv1.FailurePolicyNoOpinion, apiserverv1.FailurePolicyDeny))
	}
	if problems := validation.IsDNS1123Subdomain(p.TLSServerName); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("%q is no name of a server: set --namespace to that of the Service %s", p.TLSServerName, Service))
	}
	return errors.Join(errs...)
}

// Validate returns what is wrong with the parameters, all of it.
func (p *Parameters) Validate() error {
	errs := []error{p.ValidateNode()}
	if _, err := ServerURL(p.Server); err != nil {
		errs = append(errs, err)
	}
	if err := kubeconfig.ValidateCA(p.CertificateAuthorityData); err != nil {
		errs = append(errs, fmt.Errorf("the CA of the operator's serving certificate: %w", err))
	}
	return errors.Join(errs...)
}

func checkFile(flag, file, what string) error {
	switch {
	case file == "":
		return fmt.Errorf("%s must be set to the path, on the control plane node, of %s", flag, what)
	case !path.IsAbs(file) || path.Clean(file) != file || file == "/":
		return fmt.Errorf("%s %q must be an absolute path on the control plane node", flag, file)
	}
	return nil
}
