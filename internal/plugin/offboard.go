// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

type offboardCommand struct {
	acting
	groups []string
	yes    bool
}

func newOffboardCommand(env *Env) *cobra.Command {
	o := &offboardCommand{acting: acting{env: env, dry: dryRun{"none"}}}
	cmd := &cobra.Command{
		Use:   "offboard USERNAME",
		Short: "Find everything that grants a user something, and withdraw what is ours",
		Long: `Lists everything that grants a user or its groups something, in one table: the identities of that user name, and all role bindings that name the
user or a group of its identities, whoever made them. Groups count that certificates still carry although the spec has them no more. What every
user has is not among it (the group system:authenticated), nor is what the user made: tokens, pods, bindings for others.

With --yes it withdraws the identities, waits until that is done, and lists what is left. That is for you to end: a binding that names a
group is for the colleagues, too. The exit code is 0 where nothing is left, and 1 otherwise. The right to patch is needed with --yes alone.`,
		Example: Example(
			"# What does alice have?",
			"kubectl clientidentity offboard alice@example.com",
			"",
			"# She has left: take away what her identities give, and show the rest",
			"kubectl clientidentity offboard alice@example.com --yes",
			"",
			"# A user whose groups nothing here knows",
			"kubectl clientidentity offboard bob@example.com --group admins",
		),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: o.completeUsername,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "Withdraw the identities of the user.")
	cmd.Flags().StringSliceVar(&o.groups, "group", nil, "A group that the user is in, besides those of its identities.")
	o.waiting.addTo(cmd, "the identities are withdrawn")
	o.out = NewOutput(cmd, false)
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get, list, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterrolebindings, rolebindings]
  verbs: [list]
`})
}

// completeUsername completes user names of identities.
func (o *offboardCommand) completeUsername(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	identities, err := o.env.identities(cmd.Context())
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range identities {
		if name := identities[i].Spec.Username; strings.HasPrefix(name, toComplete) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

func (o *offboardCommand) run(ctx context.Context, username string) error {
	c, err := o.env.Client()
	if err != nil {
		return err
	}
	who, found, err := o.look(ctx, c, username)
	if err != nil {
		return err
	}
	if len(who.identities) == 0 {
		fmt.Fprintf(o.env.ErrOut, "No ClientIdentity has the user %q: groups are known of identities alone, see --group\n", clean(username))
	}
	var failed error
	if o.yes {
		for i := range who.identities {
			_, err := o.withdraw(ctx, &subject{client: c, identity: &who.identities[i], now: o.env.Clock.Now()})
			failed = errors.Join(failed, err)
		}
		if _, found, err = o.look(ctx, c, username); err != nil {
			return errors.Join(failed, err)
		}
	}
	if err := o.print(found); err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, o.verdict(username, found))
}

// look finds what grants a user something, as it is now.
func (o *offboardCommand) look(ctx context.Context, c client.Client, username string) (*leaver, []holding, error) {
	identities, err := listIdentities(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	who := newLeaver(username, o.groups, identities)
	found, err := who.find(ctx, c, o.env.Clock.Now())
	return who, found, err
}

// print prints what was found.
func (o *offboardCommand) print(found []holding) error {
	if !o.out.ForPeople() {
		list := &corev1.List{}
		for _, g := range found {
			kind, err := apiutil.GVKForObject(g.object, scheme())
			if err != nil {
				return err
			}
			g.object.GetObjectKind().SetGroupVersionKind(kind)
			list.Items = append(list.Items, runtime.RawExtension{Object: g.object})
		}
		return o.out.Print(o.env, list)
	}
	if len(found) == 0 {
		return nil
	}
	var rows [][]Cell
	for _, g := range found {
		rows = append(rows, Cells(g.kind, orNothing(g.object.GetNamespace()), g.object.GetName(), g.gives, g.to, g.from))
	}
	o.env.Printer().Table([]string{"KIND", "NAMESPACE", "NAME", "GIVES", "TO", "OF"}, rows)
	return nil
}

// verdict says whether something is left: an error where it is.
func (o *offboardCommand) verdict(username string, found []holding) error {
	identities, ours, others := left(found)
	var parts []string
	if identities > 0 {
		what := fmt.Sprintf("%d of its identities", identities)
		if !o.yes {
			what += " (--yes withdraws them)"
		}
		parts = append(parts, what)
	}
	if ours > 0 {
		parts = append(parts, fmt.Sprintf("%d role bindings of them", ours))
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("%d role bindings of others, which are theirs to take away", others))
	}
	if len(parts) > 0 {
		return fmt.Errorf("user %q has access by %s", username, strings.Join(parts, ", "))
	}
	if o.out.ForPeople() {
		fmt.Fprintf(o.env.Out, "Nothing grants user %s anything, but what every user has.\n", clean(username))
	}
	return nil
}
