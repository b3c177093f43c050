// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"flag"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/authorizer"
	"github.com/clientidentity/operator/internal/endpoint"
	"github.com/clientidentity/operator/internal/enforcement"
	"github.com/clientidentity/operator/internal/metrics"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/internal/serving"
)

// AuthorizationOptions say whether and how the API server asks which certificates to deny.
type AuthorizationOptions struct {
	// BindAddress is where it asks; "0" turns that off.
	BindAddress string
	// ClientCAFile holds the CAs of the certificate that the API server shows.
	ClientCAFile string
	// ClientName is the common name in that certificate.
	ClientName string
	// Interval is how often the operator tries whether the API server denies; not a flag.
	Interval time.Duration
}

func (o *AuthorizationOptions) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.BindAddress, "authorization-webhook-bind-address", o.BindAddress,
		`Address that the API server asks at (a Webhook in its --authorization-config) which client certificates to deny, such as :9445, over HTTPS with `+
			`the webhook's certificate, at the path `+authorizer.Path+`. "0" turns it off.`)
	flags.StringVar(&o.ClientCAFile, "authorization-webhook-client-ca-file", o.ClientCAFile,
		"File with the CA bundle (PEM) of the client certificate that the API server asks with.")
	flags.StringVar(&o.ClientName, "authorization-webhook-client-name", o.ClientName,
		"Common name in that certificate: nobody else may ask.")
}

func (o *Options) authorizationEndpoint() endpoint.Options {
	return endpoint.Options{
		Flags: "--authorization-webhook", Address: o.Authorization.BindAddress,
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

// addAuthorizer adds what tells the API server which certificates to deny, where it is asked for, and what finds out whether it
// asks: how far a revocation reaches, and a channel that tells of changes. Both are nil where it is not asked for.
func addAuthorizer(
	ctx context.Context, mgr ctrl.Manager, connection *rest.Config, prover proof.Prover, past *metrics.Past, certificate serving.Certificate, options Options,
) (reach func() v1alpha1.RevocationReach, reachChanged <-chan event.GenericEvent, err error) {
	if options.Authorization.BindAddress == off {
		return nil, nil, nil
	}
	served := options.authorizationEndpoint()
	served.Certificate = certificate
	if err := authorizer.Add(ctx, mgr, past, options.Clock, served); err != nil {
		return nil, nil, err
	}
	clientset, err := kubernetes.NewForConfig(connection)
	if err != nil {
		return nil, nil, fmt.Errorf("set up the check whether certificates are denied: %w", err)
	}
	changed := make(chan event.GenericEvent, 1)
	check := &enforcement.Check{
		Client: clientset, Prover: prover, SignerName: options.AllowedSigners[0], Interval: options.Authorization.Interval, Clock: options.Clock,
		Changed: func(reach v1alpha1.RevocationReach) {
			past.Reaches(reach)
			select {
			case changed <- event.GenericEvent{Object: &v1alpha1.ClientIdentity{}}:
			default: // one is on its way
			}
		},
	}
	if err := mgr.Add(check); err != nil {
		return nil, nil, fmt.Errorf("set up the check whether certificates are denied: %w", err)
	}
	return check.Reach, changed, nil
}
