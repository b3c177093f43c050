// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/endpoint"
	"github.com/clientidentity/operator/internal/serving"
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
	// DormantAfter is how long nobody uses an identity that is called dormant; zero means that none is.
	DormantAfter time.Duration
	// Silence is how long no proof of the operator may come back in audit events until uses count as unnoticed; not a flag.
	Silence time.Duration
	// Interval is the time between two writes of status.lastUsed, at least; not a flag.
	Interval time.Duration
}

func (o *AuditOptions) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.BindAddress, "audit-webhook-bind-address", o.BindAddress,
		`Address that the API server posts its audit events to (its --audit-webhook-config-file), such as :9444, over HTTPS with the webhook's `+
			`certificate, at the path `+usage.Path+`. They tell when an identity was used last (status.lastUsed). "0" turns it off.`)
	flags.StringVar(&o.ClientCAFile, "audit-webhook-client-ca-file", o.ClientCAFile,
		"File with the CA bundle (PEM) of the client certificate that the API server posts audit events with.")
	flags.StringVar(&o.ClientName, "audit-webhook-client-name", o.ClientName,
		"Common name in that certificate: nobody else may post.")
	flags.DurationVar(&o.DormantAfter, "dormant-after", o.DormantAfter,
		"How long nobody uses an identity that gets the condition Dormant and, with spec.whenDormant: Withdraw, loses its access, such as 2160h. "+
			"It needs --audit-webhook-bind-address. 0 means never.")
}

func (o *Options) auditOptions() usage.Options {
	return usage.Options{
		Endpoint: endpoint.Options{
			Flags: "--audit-webhook", Address: o.Audit.BindAddress, ClientCAFile: o.Audit.ClientCAFile, ClientName: o.Audit.ClientName,
		},
		Interval: o.Audit.Interval, Silence: o.Audit.Silence, Namespace: cmp.Or(o.LeaderElectionNamespace, ownNamespace(o.InCluster)),
	}
}

func (o *Options) validateAudit() error {
	if o.Audit.BindAddress == off {
		if o.Audit.DormantAfter != 0 {
			return errors.New("--dormant-after needs --audit-webhook-bind-address: nothing else tells who uses an identity")
		}
		return nil
	}
	options := o.auditOptions()
	err := options.Endpoint.Validate()
	// The status is behind by one interval and some more.
	if least := 3 * o.Audit.Interval; o.Audit.DormantAfter != 0 && o.Audit.DormantAfter < least {
		err = errors.Join(err, fmt.Errorf("--dormant-after %s must be at least %s, since the last use is known to the hour, or 0 for never", o.Audit.DormantAfter, least))
	}
	return err
}

// addAudit adds what takes audit events, where it is asked for. It returns since when they tell of the use of certificates; nil
// where they do not.
func addAudit(ctx context.Context, mgr ctrl.Manager, live client.Client, certificate serving.Certificate, options Options) (func(time.Time) access.Observation, error) {
	if options.Audit.BindAddress == off {
		return nil, nil
	}
	served := options.auditOptions()
	served.Endpoint.Certificate = certificate
	stream := usage.NewStream(live, options.Clock, served)
	return stream.Observed, usage.Add(ctx, mgr, stream, options.Clock, served)
}
