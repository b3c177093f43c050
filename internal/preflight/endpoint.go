// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// endpointLook is what kubeconfigs would carry.
type endpointLook struct {
	cluster.Endpoint
	err error
	// here is the URL that the caller uses, empty in a pod, where it is a service IP.
	here string
}

// lookAtEndpoint finds out what kubeconfigs would carry. The caller's own address is none of that: the operator runs in a pod.
func (p *probe) lookAtEndpoint(ctx context.Context) Finding {
	facts := cluster.Facts{Reader: p.objects, Server: p.settings.KubeconfigServer, CA: p.settings.KubeconfigCA, Connection: p.Connection, InCluster: true}
	p.endpoint.Endpoint, p.endpoint.err = facts.Endpoint(ctx)
	if !p.InCluster {
		p.endpoint.here = p.report.Facts.APIServer.URL
	}
	known := &p.report.Facts.Kubeconfig
	known.Server, known.Source = p.endpoint.Server, string(p.endpoint.Source)
	known.CAFingerprints = fingerprints(p.endpoint.CA)
	return p.endpoint.judge(p.settings.Source)
}

func (l *endpointLook) judge(settings string) Finding {
	sources := map[v1alpha1.ServerSource]string{
		v1alpha1.ServerFromFlag:        "--kubeconfig-server, " + settings,
		v1alpha1.ServerFromClusterInfo: "ConfigMap " + cluster.ClusterInfo.String(),
	}
	example := "https://<address that clients reach>:6443"
	if l.here != "" {
		example = l.here
	}
	switch {
	case apierrors.IsForbidden(l.err):
		return fail("what kubeconfigs would carry cannot be read: %v", l.err).fix("set --kubeconfig-server and --kubeconfig-certificate-authority, or apply config/rbac, the chart or the installer again")
	case l.err != nil:
		return fail("what kubeconfigs would carry cannot be read: %v", l.err).fix("correct it, or start the operator with --kubeconfig-server=%s", example)
	case l.Server == "":
		return fail("nothing tells the URL of the API server: there is no ConfigMap %s", cluster.ClusterInfo).
			fix("start the operator with --kubeconfig-server=%s, and give preflight the same flag", example)
	}
	if parsed, err := url.Parse(l.Server); err != nil || parsed.Scheme != "https" || parsed.Host == "" {
		return fail("kubeconfigs would carry %q, which is no https:// URL (from %s)", l.Server, sources[l.Source]).
			fix("correct it, or start the operator with --kubeconfig-server=%s", example)
	}
	return ok("kubeconfigs carry %s (from %s)", l.Server, sources[l.Source])
}

// connection is the one of a published kubeconfig, without a credential.
func (l *endpointLook) connection() *rest.Config {
	return &rest.Config{Host: l.Server, TLSClientConfig: rest.TLSClientConfig{CAData: l.CA}}
}

// handshake is who answers at an address.
type handshake struct {
	host  string
	chain []*x509.Certificate
	// asksForCertificate says whether it asked for a client certificate.
	asksForCertificate bool
	err                error
}

// shakeHands looks at who answers, whatever certificate it shows: no credential is sent.
func shakeHands(ctx context.Context, connection *rest.Config) *handshake {
	look := &handshake{}
	address, _, err := rest.DefaultServerUrlFor(connection)
	if err != nil {
		return &handshake{err: err}
	}
	if look.host = address.Hostname(); connection.ServerName != "" {
		look.host = connection.ServerName
	}
	config := &tls.Config{
		ServerName: connection.ServerName, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // what it shows is judged afterwards, and nothing is sent that is worth anything
		VerifyConnection: func(state tls.ConnectionState) error {
			look.chain = state.PeerCertificates
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			look.asksForCertificate = true
			return &tls.Certificate{}, nil
		},
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if connection.Proxy != nil {
		transport.Proxy = connection.Proxy
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.Scheme+"://"+address.Host+"/version", nil)
	if err != nil {
		return &handshake{err: err}
	}
	// Whoever answers sends nobody elsewhere: the look is at who answers here.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := (&http.Client{Transport: transport, CheckRedirect: stay}).Do(request)
	if err == nil {
		_ = response.Body.Close()
	} else if look.chain == nil {
		look.err = err
	}
	return look
}

// issuer is who made the certificate that was shown.
func (h *handshake) issuer() string {
	if len(h.chain) == 0 {
		return ""
	}
	return h.chain[0].Issuer.String()
}

// verify checks what was shown against a bundle; nil stands for the CAs that this machine trusts.
func (h *handshake) verify(bundle []byte, now time.Time) error {
	if len(h.chain) == 0 {
		return errors.New("no certificate was shown")
	}
	options := x509.VerifyOptions{DNSName: h.host, Intermediates: x509.NewCertPool(), CurrentTime: now}
	if bundle != nil {
		options.Roots = x509.NewCertPool()
		options.Roots.AppendCertsFromPEM(bundle)
	}
	for _, intermediate := range h.chain[1:] {
		options.Intermediates.AddCert(intermediate)
	}
	_, err := h.chain[0].Verify(options)
	return err
}

// lookAtEndpointCA looks whether a client with such a kubeconfig trusts who answers.
func (p *probe) lookAtEndpointCA(ctx context.Context) Finding {
	look := shakeHands(ctx, p.endpoint.connection())
	var untrusted, publicly error
	if look.err == nil {
		untrusted, publicly = look.verify(p.endpoint.CA, p.Clock.Now()), look.verify(nil, p.Clock.Now())
	}
	return look.judgeCA(p.endpoint.Endpoint, untrusted, publicly)
}

// judgeCA says whether the CA in kubeconfigs is the right one. The errors are of checking what was shown against it, and against the
// CAs that this machine trusts.
func (h *handshake) judgeCA(endpoint cluster.Endpoint, untrusted, publicly error) Finding {
	if len(endpoint.CA) > 0 {
		if err := kubeconfig.ValidateCA(endpoint.CA); err != nil {
			return fail("the CA of kubeconfigs cannot be used: %v", err).fix("start the operator with --kubeconfig-certificate-authority=<file>")
		}
	}
	const theirCA = "start the operator with --kubeconfig-certificate-authority=<file with the CA of that address>"
	var wrongName x509.HostnameError
	switch {
	case h.err != nil:
		return warn("%s is not reached from here: %v", endpoint.Server, h.err).fix("try it from where clients are, with --server=%s", endpoint.Server)
	case untrusted == nil:
		return ok("the CA of kubeconfigs verifies %s (SHA-256 %s)", endpoint.Server, abbreviate(fingerprints(endpoint.CA)))
	case errors.As(untrusted, &wrongName):
		return fail("the certificate of %s is for another name: %v", endpoint.Server, untrusted).
			fix("add that name to the API server's certificate, or set --kubeconfig-server to one that it has")
	case publicly == nil:
		return fail("the CA of kubeconfigs does not verify %s: its certificate is of %q, which this machine trusts", endpoint.Server, h.issuer()).fix(theirCA)
	}
	return fail("the CA of kubeconfigs does not verify %s: %v; its certificate is of %q", endpoint.Server, untrusted, h.issuer()).fix(theirCA)
}

// lookAtEndpointAuthentication tries the certificate as a client with such a kubeconfig would.
func (p *probe) lookAtEndpointAuthentication(ctx context.Context) Finding {
	if p.endpoint.Server == p.report.Facts.APIServer.URL && p.report.Facts.Signer.Authenticates != nil {
		p.report.Facts.Kubeconfig.Authenticates = p.report.Facts.Signer.Authenticates
		return skip("it is the address that was tried already")
	}
	look := p.prove(ctx, p.endpoint.connection(), p.endpoint.Server)
	finding := look.judge()
	if look.unreached() {
		return warn("%s is not reached from here: %v", look.url, look.err).fix("try it from where clients are, with --server=%s", look.url)
	}
	p.report.Facts.Kubeconfig.Authenticates = ptr.To(finding.Result == OK)
	return finding
}

// unreached says whether nobody answered at all.
func (l proofs) unreached() bool { return l.tls != nil && l.tls.err != nil }

// fingerprints returns the SHA-256 of each certificate in a bundle.
func fingerprints(bundle []byte) []string {
	var all []string
	for block, after := pem.Decode(bundle); block != nil; block, after = pem.Decode(after) {
		sum := sha256.Sum256(block.Bytes)
		all = append(all, hex.EncodeToString(sum[:]))
	}
	return all
}

// abbreviate makes one line of fingerprints.
func abbreviate(all []string) string {
	if len(all) == 0 {
		return "none: clients trust what their machine trusts"
	}
	var beginnings []string
	for _, fingerprint := range all {
		beginnings = append(beginnings, fingerprint[:16])
	}
	return strings.Join(beginnings, ", ")
}
