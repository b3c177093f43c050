// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

type activateCommand struct {
	acting
	keepOlder bool
}

func newActivateCommand(env *Env) *cobra.Command {
	a := &activateCommand{acting: acting{env: env}}
	cmd := &cobra.Command{
		Use:   "activate NAME",
		Short: "Give a withdrawn identity its access back, and revoke its older certificates",
		Long: `Sets spec.state to Active, and waits until the identity is ready. In the same patch it raises spec.revokeIssuedBefore, since certificates from
before the withdrawal that are still valid, wherever copies of them are, would have their rights back otherwise. With bindTo: Username that
needs an API server that asks the operator: a warning tells.

It gives the access, so that admission asks whether you hold what the identity gives: besides impersonating the user, that is impersonating
each of its groups, and for each of its role bindings to bind the role and to create the binding.`,
		Example: Example(
			"# alice is back",
			"kubectl clientidentity activate alice",
			"",
			"# It was a mistake: let her go on with the kubeconfig that she has",
			"kubectl clientidentity activate alice --keep-older-certificates",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&a.keepOlder, "keep-older-certificates", false, "Let certificates from before the withdrawal have their rights back.")
	a.addTo(cmd, "the identity is ready")
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [users]
  resourceNames: [USERNAME]
  verbs: [impersonate]
`, Besides: "An identity with groups or role bindings takes those rights as well that are said above."})
}

func (a *activateCommand) run(ctx context.Context, name string) error {
	s, err := a.begin(ctx, name)
	if err != nil {
		return err
	}
	identity := s.identity
	if err := activatable(identity, s.now); err != nil {
		return err
	}
	if identity.Spec.State == v1alpha1.StateWithdrawn {
		spec := map[string]any{"state": v1alpha1.StateActive}
		if !a.keepOlder {
			spec["revokeIssuedBefore"] = revocationAt(identity, s.now)
		}
		if identity, err = (mergePatch{spec: spec}).apply(ctx, s.client, identity, a.dry); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.env.ErrOut, "%s: it is active already: nothing is changed\n", name)
	}
	if a.waits() {
		if identity, err = a.waiting.until(ctx, a.env, s.client, identity, activated); err != nil {
			return err
		}
	}
	a.warnOfOlder(identity, s.now)
	if !a.out.ForPeople() {
		return a.out.Print(a.env, identity)
	}
	if !a.waits() {
		a.say(identity, "it is asked to be active")
		return nil
	}
	a.say(identity, "active: %s", readyText(identity))
	return nil
}

// activatable returns why an identity is not active when its state is.
func activatable(identity *v1alpha1.ClientIdentity, now time.Time) error {
	active := identity.DeepCopy()
	active.Spec.State = v1alpha1.StateActive
	ending := access.End(active, now)
	if ending == nil {
		return nil
	}
	what := ""
	if ending.Reason == v1alpha1.ReasonAccessEnded {
		what = fmt.Sprintf(": move the end first, such as with: kubectl patch clientidentity %s --type merge -p '{\"spec\":{\"accessUntil\":null}}'", identity.Name)
	}
	return fmt.Errorf("ClientIdentity %q cannot be made active: %s%s", identity.Name, ending.Message, what)
}

// activated judges whether an identity is as it is asked for.
func activated(identity *v1alpha1.ClientIdentity) (progress, error) {
	switch {
	case identity.Spec.State == v1alpha1.StateWithdrawn || !identity.DeletionTimestamp.IsZero():
		return progress{}, fmt.Errorf("ClientIdentity %q was withdrawn or deleted meanwhile", identity.Name)
	case seen(identity) && isTrue(identity, v1alpha1.ConditionReady):
		return progress{done: true}, nil
	}
	return progress{now: inTheWay(identity)}, nil
}

// readyText says how its holder goes on with an identity that is ready.
func readyText(identity *v1alpha1.ClientIdentity) string {
	published, ref := identity.Status.Certificate, identity.Status.SecretRef
	switch {
	case identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder:
		return fmt.Sprintf("devices are invited with kubectl clientidentity invite %s", identity.Name)
	case published == nil || ref == nil:
		return "its role bindings are in place"
	}
	return fmt.Sprintf("a new kubeconfig is in Secret %s/%s, with a certificate that is valid until %s", ref.Namespace, ref.Name, timing.Stamp(timing.Value(published.NotAfter)))
}

// warnOfOlder warns of certificates from before that have their rights back.
func (a *activateCommand) warnOfOlder(identity *v1alpha1.ClientIdentity, now time.Time) {
	if until := revivedUntil(identity, now); !until.IsZero() {
		a.warn(identity, "certificates from before have their rights back, until %s: revoke them with kubectl clientidentity revoke %s --all, which needs bindTo: Credential or an API server that asks the operator",
			timing.Stamp(until), identity.Name)
	}
}

// revivedUntil returns until when certificates from before a withdrawal are valid that no revocation reaches; zero where there are none.
func revivedUntil(identity *v1alpha1.ClientIdentity, now time.Time) time.Time {
	reached := isTrue(identity, v1alpha1.ConditionRevocationComplete) && seen(identity)
	var until time.Time
	revived := func(withdrawn bool, fingerprint string, askedWith, notAfter *metav1.Time) {
		dead := reached && (access.RevokedSince(&identity.Spec, timing.Of(askedWith)) || access.RevokedAlone(&identity.Spec, fingerprint))
		if end := timing.Value(notAfter); withdrawn && !dead && end.After(now) && end.After(until) {
			until = end
		}
	}
	for i := range identity.Status.Certificates {
		c := &identity.Status.Certificates[i]
		revived(c.Withdrawn, c.Fingerprint, c.RevokeIssuedBefore, c.NotAfter)
	}
	if others := identity.Status.OtherCertificates; others != nil {
		revived(others.Withdrawn, "", others.RevokeIssuedBefore, others.NotAfter)
	}
	return until
}
