// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// patchTries is how often a list is written anew when somebody else was first: the operator writes the status, too.
const patchTries = 20

type revokeCommand struct {
	acting
	what   whatToRevoke
	reason string
}

func newRevokeCommand(env *Env) *cobra.Command {
	r := &revokeCommand{acting: acting{env: env}}
	cmd := &cobra.Command{
		Use:   "revoke NAME [--device DEVICE | --fingerprint FINGERPRINT | --all]",
		Short: "Revoke certificates, and wait until they are cut off",
		Long: `Revokes certificates of an identity, and waits until they are cut off and, where the published one is among them, a new kubeconfig with a new key is
published. It says how far that reaches:

- With --all every certificate that was issued until now, by raising spec.revokeIssuedBefore. With bindTo: Credential they lose what the role
  bindings of the identity grant, on any cluster; where the API server asks the operator, everything. Devices have to be invited again.
- With --device the certificates of one device since it was enrolled: it renews no more, until it is invited again.
- With --fingerprint one certificate, such as one that is named in an audit log.

The last two write spec.revokedCertificates. They end the rights of a certificate where the API server asks the operator; elsewhere
it has them until it ends. With none of the three, what there is is revoked where that is only one thing. The exit code is 1 where something of it still has rights.`,
		Example: Example(
			"# A kubeconfig has leaked: cut off all copies, and publish a new one",
			"kubectl clientidentity revoke alice --all",
			"",
			"# A laptop was stolen; the phone goes on",
			`kubectl clientidentity revoke alice --device laptop --reason "laptop stolen"`,
			"",
			"# One certificate that an audit log names",
			"kubectl clientidentity revoke alice --fingerprint 5f3b2a9c04d1",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVar(&r.what.device, "device", "", "Revoke the certificates of this device.")
	cmd.Flags().StringVar(&r.what.fingerprint, "fingerprint", "", "Revoke the certificate with this fingerprint: the SHA-256 of it in hexadecimal, or the beginning.")
	cmd.Flags().BoolVar(&r.what.all, "all", false, "Revoke all certificates that were issued until now.")
	cmd.Flags().StringVar(&r.reason, "reason", "", "Why, for whoever uses the certificate: up to 256 characters, with --device and --fingerprint.")
	cmd.MarkFlagsMutuallyExclusive("device", "fingerprint", "all")
	cmd.MarkFlagsMutuallyExclusive("reason", "all")
	r.addTo(cmd, "the certificates are cut off, and a new one is published where one is")
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get, patch]
`})
}

func (r *revokeCommand) run(ctx context.Context, name string) error {
	s, err := r.begin(ctx, name)
	if err != nil {
		return err
	}
	plan, identity, err := r.write(ctx, s)
	if err != nil {
		return err
	}
	if plan.unlisted {
		r.warn(identity, "its status lists no such certificate: it has ended, or it is none of this identity's (kubectl clientidentity status %s)", name)
	}
	if plan.device != "" && moreValid(identity, s.now) {
		r.warn(identity, "there are valid certificates that its status has no room for, and older ones of device %s may be among them: --all reaches those, too", plan.device)
	}
	var reach error
	before := s.identity.Status.Certificate
	if r.waits() {
		if plan, identity, err = r.wait(ctx, s, plan, identity); err != nil {
			return err
		}
		reach = reached(identity, plan)
	}
	if !r.out.ForPeople() {
		return errors.Join(r.out.Print(r.env, identity), reach)
	}
	if !r.waits() {
		r.say(identity, "it is asked to revoke %s", plan.what)
		return nil
	}
	r.say(identity, "revoked %s", plan.what)
	for _, line := range revokedText(identity, plan, before) {
		fmt.Fprintln(r.env.Out, line)
	}
	return reach
}

// wait waits until what was revoked is cut off. A certificate of a device that was approved before, and signed meanwhile, is revoked as well.
func (r *revokeCommand) wait(ctx context.Context, s *subject, plan revocation, identity *v1alpha1.ClientIdentity) (revocation, *v1alpha1.ClientIdentity, error) {
	before := s.identity.Status.Certificate
	for try := 1; ; try++ {
		var err error
		identity, err = r.waiting.until(ctx, r.env, s.client, identity, cutOff(plan, before))
		if err != nil || plan.device == "" || try == patchTries {
			return plan, identity, err
		}
		// It may have been the only one that there was to revoke: it is named from here on.
		s.identity, r.what = identity, whatToRevoke{device: plan.device}
		later, changed, err := r.write(ctx, s)
		if err != nil || changed.Generation == identity.Generation {
			return plan, identity, err
		}
		plan, identity = later, changed
	}
}

// write writes what is to be revoked into the spec. Where somebody else wrote the list at the same time, it looks again.
func (r *revokeCommand) write(ctx context.Context, s *subject) (revocation, *v1alpha1.ClientIdentity, error) {
	for try := 1; ; try++ {
		plan, err := r.what.plan(s.identity, s.now)
		if err != nil {
			return plan, nil, err
		}
		patch, err := plan.patch(s.identity, r.reason, s.now)
		if err != nil || patch == nil {
			return plan, s.identity, err
		}
		identity, err := patch.apply(ctx, s.client, s.identity, r.dry)
		if !apierrors.IsConflict(err) || plan.all || try == patchTries {
			return plan, identity, err
		}
		if s.identity, err = Identity(ctx, s.client, s.identity.Name); err != nil {
			return plan, nil, err
		}
	}
}

// patch returns the change that revokes; nil where all stands in the spec already.
func (r revocation) patch(identity *v1alpha1.ClientIdentity, reason string, now time.Time) (*mergePatch, error) {
	if r.all {
		return &mergePatch{spec: map[string]any{"revokeIssuedBefore": revocationAt(identity, now)}}, nil
	}
	list, added, err := r.list(identity, reason, now)
	if err != nil || added == 0 {
		return nil, err
	}
	return &mergePatch{spec: map[string]any{"revokedCertificates": list}, exactly: true}, nil
}

// cutOff judges whether what was revoked is cut off as far as it will be, and the next certificate published. Before is the certificate that
// was published before.
func cutOff(plan revocation, before *v1alpha1.CertificateStatus) func(*v1alpha1.ClientIdentity) (progress, error) {
	return func(identity *v1alpha1.ClientIdentity) (progress, error) {
		c := conditionOf(identity, v1alpha1.ConditionRevocationComplete)
		switch {
		case !seen(identity):
			return progress{now: notLookedAt}, nil
		case isTrue(identity, v1alpha1.ConditionWithdrawn):
			return progress{done: true}, nil // it has no other access that could end
		case c.Reason == "":
			return progress{now: inTheWay(identity)}, nil
		case c.Reason == v1alpha1.ReasonBindingNotRevoked:
			return progress{now: c.Reason + ": " + c.Message}, nil
		case plan.device != "" && !deviceRevoked(identity, plan.device):
			return progress{now: "waiting until device " + plan.device + " is revoked"}, nil
		case replaces(identity, plan, before) && !isTrue(identity, v1alpha1.ConditionReady):
			return progress{now: "cut off; the next certificate: " + inTheWay(identity)}, nil
		case replaces(identity, plan, before) && (identity.Status.Certificate == nil || identity.Status.Certificate.Fingerprint == before.Fingerprint):
			return progress{now: "cut off; waiting for the next certificate"}, nil
		}
		return progress{done: true}, nil
	}
}

// replaces says whether a new certificate takes the place of the published one.
func replaces(identity *v1alpha1.ClientIdentity, plan revocation, before *v1alpha1.CertificateStatus) bool {
	return before != nil && identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder && (plan.all || slices.Contains(plan.fingerprints, before.Fingerprint))
}

func deviceRevoked(identity *v1alpha1.ClientIdentity, name string) bool {
	return !slices.ContainsFunc(identity.Status.Devices, func(d v1alpha1.Device) bool { return d.Name == name && d.State != v1alpha1.DeviceRevoked })
}

// reached returns what the revocation does not reach, as an error, or nil.
func reached(identity *v1alpha1.ClientIdentity, plan revocation) error {
	c := conditionOf(identity, v1alpha1.ConditionRevocationComplete)
	if c.Reason == "" || isTrue(identity, v1alpha1.ConditionRevocationComplete) {
		return nil
	}
	advice := ""
	if !plan.all && identity.Spec.BindTo == v1alpha1.BindToCredential {
		advice = fmt.Sprintf(" (kubectl clientidentity revoke %s --all)", identity.Name)
	}
	return fmt.Errorf("%s: what is revoked still has rights: %s%s", identity.Name, clean(c.Message), advice)
}

// revokedText says how far a revocation reaches, and how its holder goes on.
func revokedText(identity *v1alpha1.ClientIdentity, plan revocation, before *v1alpha1.CertificateStatus) []string {
	var lines []string
	if c := conditionOf(identity, v1alpha1.ConditionRevocationComplete); isTrue(identity, v1alpha1.ConditionRevocationComplete) {
		lines = append(lines, "It reaches "+reachText(identity.Status.RevocationReach)+": "+strings.TrimSuffix(clean(c.Message), ".")+".")
	} else if isTrue(identity, v1alpha1.ConditionWithdrawn) {
		lines = append(lines, "The identity is withdrawn: "+clean(conditionOf(identity, v1alpha1.ConditionWithdrawn).Message)+".")
	}
	if sessions := "Sessions that are open, such as exec, go on until they are closed."; len(lines) > 0 {
		lines = append(lines, sessions)
	}
	switch published, ref := identity.Status.Certificate, identity.Status.SecretRef; {
	case plan.device != "":
		lines = append(lines, fmt.Sprintf("The device renews no more. To let it, or another one in its place, in again: kubectl clientidentity invite %s", identity.Name))
	case identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder && plan.all && !isTrue(identity, v1alpha1.ConditionWithdrawn):
		lines = append(lines, fmt.Sprintf("No device renews any more, and open invitations have ended. To invite each again: kubectl clientidentity invite %s", identity.Name))
	case replaces(identity, plan, before) && published != nil && ref != nil:
		lines = append(lines, fmt.Sprintf("A new kubeconfig is in Secret %s/%s, with a certificate that is valid until %s.", ref.Namespace, ref.Name, timing.Stamp(timing.Value(published.NotAfter))))
	}
	return lines
}

// reachText says how far a revocation reaches.
func reachText(reach v1alpha1.RevocationReach) string {
	if reach == v1alpha1.ReachAPIServer {
		return "the API server"
	}
	return "the role bindings of the identity"
}
