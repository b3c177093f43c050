// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package proof asks the API server who it takes the holder of a credential for. It touches nothing but connections of its own.
package proof

import (
	"context"
	"fmt"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	clienttransport "k8s.io/client-go/transport"
)

// UserAgent is what the operator calls itself when it proves a credential: who looks for the uses of a certificate leaves
// those out.
const UserAgent = "client-identity-operator/proof"

// Looks says whether a request looks like a proof of the operator, as audit events tell of it.
func Looks(userAgent, verb, resource string) bool {
	return userAgent == UserAgent && verb == "create" && resource == "selfsubjectreviews"
}

// timeout bounds one proof: a connection, a TLS handshake and a request.
const timeout = 10 * time.Second

// Prover asks the API server who it takes the holder of a credential for.
type Prover interface {
	// WhoAmI returns the user that the certificate and key (PEM) authenticate as. The error is the API
	// server's (Unauthorized where it does not accept the certificate) or the network's.
	WhoAmI(ctx context.Context, certificatePEM, keyPEM []byte) (authenticationv1.UserInfo, error)
}

// apiServerProver proves credentials over the address that the operator itself uses: the published URL
// may be reachable from elsewhere only.
type apiServerProver struct {
	connection *rest.Config
}

// New returns a Prover that asks the API server of a connection. The connection's own credentials
// are not used.
func New(connection *rest.Config) Prover {
	return &apiServerProver{connection: rest.AnonymousClientConfig(connection)}
}

func (p *apiServerProver) WhoAmI(ctx context.Context, certificatePEM, keyPEM []byte) (authenticationv1.UserInfo, error) {
	config := rest.CopyConfig(p.connection)
	config.CertData, config.KeyData = certificatePEM, keyPEM
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("prepare the TLS connection: %w", err)
	}
	// A transport of its own: client-go's are cached for good, one for each certificate, with its key.
	transport := &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if config.Proxy != nil {
		transport.Proxy = config.Proxy
	}
	if config.Dial != nil {
		transport.DialContext = config.Dial
	}
	client, err := authenticationclient.NewForConfigAndClient(config, &http.Client{
		Transport: clienttransport.NewUserAgentRoundTripper(UserAgent, transport), Timeout: timeout,
	})
	if err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("prepare the connection: %w", err)
	}
	review, err := client.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}
