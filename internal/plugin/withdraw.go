// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

type withdrawCommand struct{ acting }

func newWithdrawCommand(env *Env) *cobra.Command {
	w := &withdrawCommand{acting{env: env}}
	cmd := &cobra.Command{
		Use:   "withdraw NAME",
		Short: "Take the access of an identity away, and show what is left",
		Long: `Sets spec.state to Withdrawn, and waits until the role bindings and the Secret are gone. Then it shows what is left: until when certificates
authenticate, and what others granted to the user or to its groups. The identity stays, as a record; kubectl clientidentity activate gives
the access back.`,
		Example: Example(
			"# alice has left: take everything away that her identity grants",
			"kubectl clientidentity withdraw alice",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return w.run(cmd.Context(), args[0]) },
	}
	w.addTo(cmd, "role bindings and Secret are gone")
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get, patch]
`})
}

func (w *withdrawCommand) run(ctx context.Context, name string) error {
	s, err := w.begin(ctx, name)
	if err != nil {
		return err
	}
	identity, err := w.withdraw(ctx, s)
	if err != nil {
		return err
	}
	if !w.out.ForPeople() {
		return w.out.Print(w.env, identity)
	}
	if !w.waits() {
		w.say(identity, "its access is asked to be taken away")
		return nil
	}
	w.say(identity, "withdrawn: its role bindings and its Secret are gone")
	w.printLeft(identity)
	return nil
}

// withdraw withdraws an identity, and waits where that is wanted.
func (a *acting) withdraw(ctx context.Context, s *subject) (*v1alpha1.ClientIdentity, error) {
	identity := s.identity
	if identity.Spec.State != v1alpha1.StateWithdrawn {
		var err error
		if identity, err = (mergePatch{spec: map[string]any{"state": v1alpha1.StateWithdrawn}}).apply(ctx, s.client, identity, a.dry); err != nil {
			return nil, err
		}
	}
	if !a.waits() {
		return identity, nil
	}
	return a.waiting.until(ctx, a.env, s.client, identity, withdrawn)
}

// withdrawn judges whether the access of an identity has been taken away.
func withdrawn(identity *v1alpha1.ClientIdentity) (progress, error) {
	switch {
	case identity.Spec.State != v1alpha1.StateWithdrawn:
		return progress{}, fmt.Errorf("ClientIdentity %q was made active again meanwhile", identity.Name)
	case seen(identity) && isTrue(identity, v1alpha1.ConditionWithdrawn):
		return progress{done: true}, nil
	}
	return progress{now: inTheWay(identity)}, nil
}

// printLeft prints what is left of a withdrawn identity.
func (w *withdrawCommand) printLeft(identity *v1alpha1.ClientIdentity) {
	fmt.Fprintln(w.env.Out, certificatesLeft(identity, w.env.Clock.Now()))
	residual := identity.Status.ResidualAccess
	if residual == nil || residual.Total == 0 {
		fmt.Fprintln(w.env.Out, "Nothing else grants the user or one of its groups anything.")
		return
	}
	fmt.Fprintf(w.env.Out, "Others grant the user or one of its groups something (looked up %s):\n\n", Ago(timing.Value(residual.ObservedTime), w.env.Clock.Now()))
	var rows [][]Cell
	for _, binding := range residual.Bindings {
		rows = append(rows, Cells(binding.Kind, orNothing(binding.Namespace), binding.Name))
	}
	w.env.Printer().Table([]string{"KIND", "NAMESPACE", "NAME"}, rows)
	if more := int(residual.Total) - len(residual.Bindings); more > 0 {
		fmt.Fprintf(w.env.Out, "... and %d more\n", more)
	}
	fmt.Fprintf(w.env.Out, "\nWhat they give, and to whom: kubectl clientidentity offboard %s\n", quote(identity.Spec.Username))
}

// orNothing is what a table shows of an empty text.
func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
