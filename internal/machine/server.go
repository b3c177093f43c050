// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	clienttransport "k8s.io/client-go/transport"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

// UserAgent is what a device calls itself.
const UserAgent = "kubectl-clientidentity"

// API is what a device asks of an API server.
type API interface {
	// Published returns the content of a Secret.
	Published(ctx context.Context, place Place) (map[string][]byte, error)
	// Submit makes a request, and Request returns it as it is.
	Submit(ctx context.Context, request *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error)
	Request(ctx context.Context, name string) (*certificatesv1.CertificateSigningRequest, error)
	// WhoAmI returns whom the API server takes the caller for.
	WhoAmI(ctx context.Context) (authenticationv1.UserInfo, error)
	// Now returns what time the API server had with its last answer; zero where it gave none.
	Now() time.Time
}

// Target is how to reach an API server.
type Target struct {
	Server, TLSServerName, ProxyURL string
	CertificateAuthorityData        []byte
	Insecure                        bool
}

// TargetOf returns how to reach the API server of a kubeconfig.
func TargetOf(p kubeconfig.Parameters) Target {
	return Target{Server: p.Server, TLSServerName: p.TLSServerName, ProxyURL: p.ProxyURL, CertificateAuthorityData: p.CertificateAuthorityData}
}

// targets are where a renewal is asked for, in this order. What a client asks for is believed where it is checked against the CA that this
// machine was enrolled with: whoever writes a kubeconfig could have it renewed elsewhere, and lock the machine out. With another CA it counts
// only once the API server cannot be verified by the first one any more.
func targets(record *Record, asked *Target) []Target {
	recorded := TargetOf(record.Cluster)
	switch {
	case asked == nil:
		return []Target{recorded}
	case recorded.Server == "":
		return []Target{*asked}
	case !asked.Insecure && asked.TLSServerName == recorded.TLSServerName && bytes.Equal(asked.CertificateAuthorityData, recorded.CertificateAuthorityData):
		return []Target{*asked}
	}
	return []Target{recorded, *asked}
}

// unverified says whether a server is none that the CA vouches for.
func unverified(err error) bool {
	var failed *tls.CertificateVerificationError
	return errors.As(err, &failed)
}

// Login is how to authenticate: a certificate and its key in PEM, or a token.
type Login struct {
	Certificate, Key []byte
	Token            string
}

// Connect returns a connection to an API server, without any request.
type Connect func(target Target, login Login) (API, error)

// Dial is the real Connect.
func Dial(target Target, login Login) (API, error) {
	config := &rest.Config{
		Host: target.Server, BearerToken: login.Token,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: target.CertificateAuthorityData, ServerName: target.TLSServerName, Insecure: target.Insecure,
			CertData: login.Certificate, KeyData: login.Key,
		},
	}
	if target.Insecure {
		config.CAData = nil
	}
	if target.ProxyURL != "" {
		proxy, err := url.Parse(target.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("the proxy of the API server is no URL")
		}
		config.Proxy = http.ProxyURL(proxy)
	}
	return Over(config)
}

// Over returns the API over a connection of somebody else's making: an administrator's.
func Over(config *rest.Config) (API, error) {
	config = rest.CopyConfig(config)
	config.UserAgent, config.QPS = UserAgent, -1
	s := &server{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &clocked{next, s} })
	client, err := httpClient(config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	if s.core, err = coreclient.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	if s.certificates, err = certificatesclient.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	if s.authentication, err = authenticationclient.NewForConfigAndClient(config, client); err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	return s, nil
}

// httpClient returns a client with a transport of its own where a certificate and key are given: client-go keeps its transports for good,
// with their keys, and goes on with a connection that another certificate opened.
func httpClient(config *rest.Config) (*http.Client, error) {
	if len(config.CertData) == 0 && config.BearerToken == "" {
		return rest.HTTPClientFor(config)
	}
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if config.Proxy != nil {
		transport.Proxy = config.Proxy
	}
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: clienttransport.NewUserAgentRoundTripper(UserAgent, wrapped)}, nil
}

type server struct {
	core           coreclient.CoreV1Interface
	certificates   certificatesclient.CertificatesV1Interface
	authentication authenticationclient.AuthenticationV1Interface

	mu  sync.Mutex
	now time.Time
}

func (s *server) Published(ctx context.Context, place Place) (map[string][]byte, error) {
	secret, err := s.core.Secrets(place.Namespace).Get(ctx, place.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func (s *server) Submit(ctx context.Context, request *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	return s.certificates.CertificateSigningRequests().Create(ctx, request, metav1.CreateOptions{})
}

func (s *server) Request(ctx context.Context, name string) (*certificatesv1.CertificateSigningRequest, error) {
	return s.certificates.CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{})
}

func (s *server) WhoAmI(ctx context.Context) (authenticationv1.UserInfo, error) {
	review, err := s.authentication.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

func (s *server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// clocked reads the clock of the API server from its answers.
type clocked struct {
	next   http.RoundTripper
	server *server
}

func (c *clocked) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err == nil {
		if now, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			c.server.mu.Lock()
			c.server.now = now
			c.server.mu.Unlock()
		}
	}
	return response, err
}
