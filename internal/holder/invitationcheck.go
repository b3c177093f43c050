// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

// What the schema allows in spec.kubeconfig, and what a token looks like.
var (
	serverNamePattern = regexp.MustCompile(`^[-a-zA-Z0-9._:]{0,253}$`)
	tokenPattern      = regexp.MustCompile(`^[-_A-Za-z0-9]+\.[-_A-Za-z0-9]+\.[-_A-Za-z0-9]+$`)
)

const (
	maxURL  = 2048
	maxName = 253
)

// check returns what is wrong with an invitation. What is in it ends in a kubeconfig and on a terminal, whoever wrote it.
func (i Invitation) check() error {
	k := i.Kubeconfig
	proxy, err := url.Parse(k.ProxyURL)
	switch {
	case !validServer(k.Server):
		return errors.New("the invitation has no server that is an https:// URL, without user, query and fragment")
	case err != nil || k.ProxyURL != "" && (!slices.Contains([]string{"http", "https", "socks5"}, proxy.Scheme) || proxy.Hostname() == "" || !printable(k.ProxyURL, maxURL)):
		return errors.New("the invitation has a proxy that is no http://, https:// or socks5:// URL")
	case !serverNamePattern.MatchString(k.TLSServerName):
		return errors.New("the invitation has a TLS server name that is neither a DNS name nor an address")
	case k.ClusterName == "" || !printable(k.ClusterName, maxName) || k.ContextName == "" || !printable(k.ContextName, maxName):
		return fmt.Errorf("the invitation has no names for cluster and context of 1 to %d printable characters", maxName)
	case k.Namespace != "" && len(validation.IsDNS1123Label(k.Namespace)) > 0:
		return errors.New("the invitation has a namespace of no valid name")
	case len(i.Token) > maxToken || !tokenPattern.MatchString(i.Token):
		return errors.New("the invitation has no token")
	case i.Expires.IsZero():
		return errors.New("the invitation has no end")
	case i.Device != "" && ValidDevice(i.Device) != "":
		return errors.New("the invitation has a name for the device that is no DNS label")
	case (i.Secret.Namespace != "" || i.Secret.Name != "") && (len(validation.IsDNS1123Label(i.Secret.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(i.Secret.Name)) > 0):
		return errors.New("the invitation names a Secret that cannot be one")
	}
	if len(k.CertificateAuthorityData) > 0 {
		if err := kubeconfig.ValidateCA(k.CertificateAuthorityData); err != nil {
			return fmt.Errorf("the invitation has CAs that cannot be used: %w", err)
		}
	}
	return i.Parameters.check()
}

// check returns what is wrong with parameters that somebody handed over.
func (p Parameters) check() error {
	if len(validation.IsDNS1123Subdomain(p.Identity)) > 0 || !printable(p.Username, maxName) || !printable(string(p.UID), maxName) || !printable(p.SignerName, maxURL) {
		return errors.New("the invitation names an identity, a user or a signer that cannot be one")
	}
	return nil
}

func validServer(server string) bool {
	parsed, err := url.Parse(server)
	return err == nil && parsed.Scheme == "https" && parsed.Hostname() != "" && parsed.User == nil && parsed.RawQuery == "" && !parsed.ForceQuery && parsed.Fragment == "" &&
		printable(server, maxURL)
}
