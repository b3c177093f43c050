// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"flag"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clientidentity/operator/internal/authorizer"
	"github.com/clientidentity/operator/internal/endpoint"
)

// AuthorizationOptions say whether and how the API server asks which certificates to deny.
type AuthorizationOptions struct {
	// BindAddress is where it asks; "0" turns that off.
	BindAddress string
	// ClientCAFile holds the CAs of the certificate that the API server shows.
	ClientCAFile string
	// ClientName is the common name in that certificate.
	ClientName string
}

func (o *AuthorizationOptions) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.BindAddress, "authorization-webhook-bind-address", o.BindAddress,
		`Address that the API server asks at (a Webhook in its --authorization-config) which client certificates to deny, such as :9445, over HTTPS with `+
			`the certificate in --webhook-cert-dir, at the path `+authorizer.Path+`. "0" turns it off.`)
	flags.StringVar(&o.ClientCAFile, "authorization-webhook-client-ca-file", o.ClientCAFile,
		"File with the CA bundle (PEM) of the client certificate that the API server asks with.")
	flags.StringVar(&o.ClientName, "authorization-webhook-client-name", o.ClientName,
		"Common name in that certificate: nobody else may ask.")
}

func (o *Options) authorizationEndpoint() endpoint.Options {
	return endpoint.Options{
		Flags: "--authorization-webhook", Address: o.Authorization.BindAddress, CertDir: o.Webhook.CertDir,
		ClientCAFile: o.Authorization.ClientCAFile, ClientName: o.Authorization.ClientName,
	}
}

func (o *Options) validateAuthorization() error {
	if o.Authorization.BindAddress == off {
		return nil
	}
	served := o.authorizationEndpoint()
	return served.Validate()
}

// addAuthorizer adds what tells the API server which certificates to deny, where it is asked for.
func addAuthorizer(ctx context.Context, mgr ctrl.Manager, metrics authorizer.Metrics, options Options) error {
	if options.Authorization.BindAddress == off {
		return nil
	}
	return authorizer.Add(ctx, mgr, metrics, options.Clock, options.authorizationEndpoint())
}
