// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// page is how many identities one request lists, as in kubectl.
const page = 500

func newListCommand(env *Env) *cobra.Command {
	var which selection
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List identities, or those that need attention",
		Long: `List identities: who they are for, how it stands with them, and when their certificates end and are renewed.

Several flags narrow the list further.`,
		Example: Example(
			"# All identities",
			"kubectl clientidentity list",
			"",
			"# Certificates that end within 30 days or have ended, the next one first",
			"kubectl clientidentity list --expiring-within 30d",
			"",
			"# Those that are not as asked for, or at risk, with the reasons",
			"kubectl clientidentity list --not-ready -o wide",
			"",
			"# What a CA has issued that is to be dropped",
			"kubectl clientidentity list --issuer CN=old-ca -o name"),
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().Var(&which.expiring, "expiring-within", "Only those with a certificate that ends within this time, such as 30d or 12h, or has ended.")
	cmd.Flags().BoolVar(&which.notReady, "not-ready", false, "Only those that are not as asked for, or at risk. Withdrawn ones are as asked for.")
	cmd.Flags().StringVar(&which.issuer, "issuer", "", "Only those with a valid certificate of a CA whose distinguished name has this in it, such as CN=kubernetes.")
	output := NewOutput(cmd, true)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := env.Client()
		if err != nil {
			return err
		}
		all, err := listIdentities(cmd.Context(), c)
		if err != nil {
			return err
		}
		now := env.Clock.Now()
		chosen := which.of(all, now)
		if !output.ForPeople() {
			return output.Print(env, asList(chosen))
		}
		if len(chosen) == 0 {
			fmt.Fprintln(env.ErrOut, nothingFound(len(all)))
			return nil
		}
		printList(env.Printer(), chosen, output.Wide(), now)
		return nil
	}
	return needs(cmd, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [list]
`})
}

// listIdentities reads all identities, some hundred at a time.
func listIdentities(ctx context.Context, c client.Client) ([]v1alpha1.ClientIdentity, error) {
	var all []v1alpha1.ClientIdentity
	list := &v1alpha1.ClientIdentityList{}
	for {
		if err := c.List(ctx, list, client.Limit(page), client.Continue(list.Continue)); err != nil {
			return nil, fmt.Errorf("list ClientIdentities: %w", err)
		}
		all = append(all, list.Items...)
		if list.Continue == "" {
			return all, nil
		}
	}
}

// asList returns identities as an object of the API, of which each part says what it is.
func asList(identities []v1alpha1.ClientIdentity) *v1alpha1.ClientIdentityList {
	list := &v1alpha1.ClientIdentityList{Items: identities}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
	}
	return list
}

func nothingFound(all int) string {
	if all == 0 {
		return "There are no identities in this cluster."
	}
	return fmt.Sprintf("None of the %d identities of this cluster.", all)
}

func printList(p *Printer, identities []v1alpha1.ClientIdentity, wide bool, now time.Time) {
	headings := []string{"NAME", "USER", "STATE", "KEY", "EXPIRES", "RENEWS", "AGE"}
	if wide {
		headings = append(headings, "GROUPS", "ACCESS-UNTIL", "SECRET", "ISSUER", "REASON")
	}
	rows := make([][]Cell, len(identities))
	for i := range identities {
		id := &identities[i]
		rows[i] = []Cell{
			{Text: id.Name}, {Text: id.Spec.Username}, {Text: string(id.Status.State), Style: styleOf(id.Status.State)}, {Text: keyOf(id, now)},
			expiryCell(nextEnd(id), now), {Text: orNone(relative(nextRenewal(id), now))}, {Text: age(id.CreationTimestamp, now)},
		}
		if wide {
			rows[i] = append(rows[i], Cells(orNone(id.Status.GroupList), orNone(relative(timing.Value(id.Spec.AccessUntil), now)),
				orNone(secretName(id)), orNone(issuerOf(id)), id.Status.StateReason)...)
		}
	}
	p.Table(headings, rows)
}

// styleOf is how a state looks.
func styleOf(state v1alpha1.ObservedState) Style {
	switch state {
	case v1alpha1.ObservedReady:
		return Good
	case v1alpha1.ObservedStalled:
		return Bad
	case v1alpha1.ObservedWithdrawn:
		return Faint
	}
	return Warn
}

// keyOf says who has the key; of holders, on how many of how many devices.
func keyOf(id *v1alpha1.ClientIdentity, now time.Time) string {
	if id.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		return string(v1alpha1.SourceOperator)
	}
	return fmt.Sprintf("%s %d/%d", v1alpha1.SourceHolder, validDevices(id, now), maxDevices(id))
}

func expiryCell(end, now time.Time) Cell {
	switch {
	case end.IsZero():
		return Cell{Text: none}
	case !end.After(now):
		return Cell{Text: Ago(end, now), Style: Bad}
	}
	return Cell{Text: When(end, now)}
}

// none is what stands where there is nothing.
const none = "-"

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// relative says when a time is; empty for none.
func relative(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return When(t, now)
}

func age(created metav1.Time, now time.Time) string {
	if created.IsZero() {
		return none
	}
	return duration.HumanDuration(now.Sub(created.Time))
}

func secretName(id *v1alpha1.ClientIdentity) string {
	if id.Status.SecretRef == nil {
		return ""
	}
	return id.Status.SecretRef.Namespace + "/" + id.Status.SecretRef.Name
}
