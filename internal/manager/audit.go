// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"flag"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clientidentity/operator/internal/usage"
)

// off is the address of what is not served.
const off = "0"

// AuditOptions say whether and how audit events are taken from the API server.
type AuditOptions struct {
	// BindAddress is where they are posted to; "0" turns that off.
	BindAddress string
	// ClientCAFile holds the CAs of the certificate that the API server posts with.
	ClientCAFile string
	// ClientName is the common name in that certificate.
	ClientName string
	// Interval is the time between two writes of status.lastUsed, at least; not a flag.
	Interval time.Duration
}

func (o *AuditOptions) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.BindAddress, "audit-webhook-bind-address", o.BindAddress,
		`Address that the API server posts its audit events to (its --audit-webhook-config-file), such as :9444, over HTTPS with the certificate in `+
			`--webhook-cert-dir, at the path `+usage.Path+`. They tell when an identity was used last (status.lastUsed). "0" turns it off.`)
	flags.StringVar(&o.ClientCAFile, "audit-webhook-client-ca-file", o.ClientCAFile,
		"File with the CA bundle (PEM) of the client certificate that the API server posts audit events with.")
	flags.StringVar(&o.ClientName, "audit-webhook-client-name", o.ClientName,
		"Common name in that certificate: nobody else may post.")
}

func (o *Options) auditOptions() usage.Options {
	return usage.Options{
		Address: o.Audit.BindAddress, CertDir: o.Webhook.CertDir, ClientCAFile: o.Audit.ClientCAFile, ClientName: o.Audit.ClientName, Interval: o.Audit.Interval,
	}
}

func (o *Options) validateAudit() error {
	if o.Audit.BindAddress == off {
		return nil
	}
	options := o.auditOptions()
	return options.Validate()
}

// addAudit adds what takes audit events, where it is asked for.
func addAudit(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if options.Audit.BindAddress == off {
		return nil
	}
	return usage.Add(ctx, mgr, options.Clock, options.auditOptions())
}
