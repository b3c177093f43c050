// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

// renewCommand asks for new certificates.
type renewCommand struct {
	env     *Env
	waiting waiting
	dry     dryRun
	out     *Output
}

func newRenewCommand(env *Env) *cobra.Command {
	r := &renewCommand{env: env}
	cmd := &cobra.Command{
		Use:   "renew NAME...",
		Short: "Renew certificates now, and wait for the new ones",
		Long: `Asks for a new certificate, with the annotation clientidentity.dev/renew-requested-at, and waits until it is published. The one before stays
valid until it ends: to end it, revoke it. Certificates are renewed by themselves in time; this is for those that cannot wait, such as after
another CA was introduced.

With privateKey.source: Holder the keys are on the holder's devices, and each device renews by itself.`,
		Example: Example(
			"# Renew the certificate of the identity alice, and wait until the new one is published",
			"kubectl clientidentity renew alice",
			"",
			"# Renew several ones, and do not wait",
			"kubectl clientidentity renew alice bob --wait=false",
		),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.waiting.addTo(cmd, "the new certificates are published")
	r.dry.addTo(cmd)
	r.out = NewOutput(cmd, false)
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get, patch]
`})
}

// asked is a renewal that was asked for.
type asked struct {
	identity *v1alpha1.ClientIdentity
	request  string
}

func (r *renewCommand) run(ctx context.Context, names []string) error {
	if err := r.dry.check(); err != nil {
		return err
	}
	c, err := r.env.Client()
	if err != nil {
		return err
	}
	// All are asked for before the first one is waited for. One that is refused does not keep the others from it.
	var renewals []asked
	var failed []error
	for _, name := range names {
		renewal, err := r.ask(ctx, c, name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		renewals = append(renewals, renewal)
	}
	for _, renewal := range renewals {
		if err := r.finish(ctx, c, renewal); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (r *renewCommand) ask(ctx context.Context, c client.Client, name string) (asked, error) {
	identity, err := Identity(ctx, c, name)
	if err != nil {
		return asked{}, err
	}
	now := r.env.Clock.Now()
	if err := renewable(identity, now); err != nil {
		return asked{}, err
	}
	// Two in one second are two.
	request := now.UTC().Format(time.RFC3339Nano)
	identity, err = mergePatch{annotations: map[string]string{v1alpha1.RenewRequestedAtAnnotation: request}}.apply(ctx, c, identity, r.dry)
	return asked{identity, request}, err
}

// renewable returns why an identity gets no new certificate by asking for one.
func renewable(identity *v1alpha1.ClientIdentity, now time.Time) error {
	if ending := access.End(identity, now); ending != nil {
		return fmt.Errorf("ClientIdentity %q has no access, and nothing is issued for it: %s", identity.Name, ending.Message)
	}
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		return fmt.Errorf("ClientIdentity %q has privateKey.source: Holder: its keys are on the holder's devices, and each device renews its certificate by itself, "+
			"with the first request after its renewal time (kubectl clientidentity status %s). To let a device have a new certificate now, revoke the one that it has "+
			"(kubectl clientidentity revoke %s --device ...), and invite it again (kubectl clientidentity invite %s)", identity.Name, identity.Name, identity.Name, identity.Name)
	}
	return nil
}

func (r *renewCommand) finish(ctx context.Context, c client.Client, renewal asked) error {
	identity := renewal.identity
	if r.waiting.wait && !r.dry.on() {
		var err error
		if identity, err = r.waiting.until(ctx, r.env, c, identity, renewed(renewal)); err != nil {
			return err
		}
	}
	if !r.out.ForPeople() {
		return r.out.Print(r.env, identity)
	}
	if !r.waiting.wait || r.dry.on() {
		fmt.Fprintf(r.env.Out, "%s: a new certificate is asked for%s\n", identity.Name, r.dry.suffix())
		return nil
	}
	published := identity.Status.Certificate
	fmt.Fprintf(r.env.Out, "%s: renewed: certificate %d is valid until %s\n", identity.Name, published.Revision, At(timing.Value(published.NotAfter), r.env.Clock.Now()))
	return nil
}

// renewed judges whether a certificate that was asked for is published.
func renewed(renewal asked) func(*v1alpha1.ClientIdentity) (progress, error) {
	before := renewal.identity.Status.Certificate
	return func(identity *v1alpha1.ClientIdentity) (progress, error) {
		published, issuance := identity.Status.Certificate, identity.Status.Issuance
		switch {
		case identity.Spec.State == v1alpha1.StateWithdrawn || !identity.DeletionTimestamp.IsZero():
			return progress{}, fmt.Errorf("ClientIdentity %q was withdrawn or deleted meanwhile: nothing is issued for it any more", identity.Name)
		case published != nil && (before == nil || published.Fingerprint != before.Fingerprint) && identity.Status.LastHandledRenewRequest == renewal.request:
			return progress{done: true}, nil
		case issuance != nil && issuance.FailedRenewRequest == renewal.request && issuance.LastFailureMessage != "":
			return progress{now: "it is tried again: " + issuance.LastFailureMessage}, nil
		case isTrue(identity, v1alpha1.ConditionStalled):
			return progress{now: inTheWay(identity)}, nil
		case issuance != nil && issuance.CertificateSigningRequest != "":
			return progress{now: "waiting for the signer"}, nil
		}
		// What keeps the next one back is said of the certificate that there is.
		if c := conditionOf(identity, v1alpha1.ConditionCertificateIssued); c.Reason == v1alpha1.ReasonIssuedTooOften || c.Reason == v1alpha1.ReasonAccessEnding {
			return progress{now: c.Reason + ": " + c.Message}, nil
		}
		return progress{now: "waiting for the new certificate"}, nil
	}
}
