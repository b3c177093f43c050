// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/timing"
)

func newStatusCommand(env *Env) *cobra.Command {
	return needs(&cobra.Command{
		Use:   "status NAME",
		Short: "Say how it stands with an identity: what is wanted, what is issued, what comes next, what is in the way",
		Long: `Say how it stands with an identity: what is wanted, which certificates are issued and on which device, what comes next and when, what
is in the way of it, and what to do about that.

It says what the operator has written into the identity; verify looks at the credential itself.`,
		Example: Example(
			"# How it stands with alice",
			"kubectl clientidentity status alice"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.Client()
			if err != nil {
				return err
			}
			id, err := Identity(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			printStatus(env.Printer(), id, env.Clock.Now())
			return nil
		},
	}, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get]
  resourceNames: [NAME]
`})
}

func printStatus(p *Printer, id *v1alpha1.ClientIdentity, now time.Time) {
	state := id.Status.State
	fmt.Fprintf(p.out, "%s   %s\n", p.paint(Bold, clean(id.Name)), p.paint(styleOf(state), clean(string(state))))
	inset := p.Inset()
	p.section("Wanted")
	inset.Table(nil, wanted(id, now))
	if rows := bindingRows(id, now); len(rows) > 0 {
		p.section("Role bindings (" + placed(id) + ")")
		inset.Table(nil, rows)
	}
	p.section("Issued")
	printIssued(inset, id, now)
	p.section("Next")
	steps := nextSteps(id, now)
	rows := make([][]Cell, len(steps))
	for i, s := range steps {
		due := Cell{Text: When(s.at, now)}
		if !s.at.After(now) {
			due = Cell{Text: "due", Style: Warn}
		}
		rows[i] = []Cell{{Text: due.Text, Style: due.Style}, {Text: timing.Stamp(s.at), Style: Faint}, {Text: s.what}}
	}
	if len(rows) == 0 {
		rows = [][]Cell{Cells("Nothing happens by itself.")}
	}
	inset.Table(nil, rows)
	p.section("In the way")
	printObstacles(inset, obstacles(id, now), state)
}

// section begins a part of what is printed.
func (p *Printer) section(title string) { fmt.Fprintf(p.out, "\n%s\n", p.paint(Bold, title)) }

// wanted returns what the spec asks for, but for role bindings.
func wanted(id *v1alpha1.ClientIdentity, now time.Time) [][]Cell {
	spec := &id.Spec
	rows := [][]Cell{
		Cells("User", spec.Username),
		Cells("Groups", orNone(strings.Join(spec.Groups, ", "))),
		Cells("Key", keyText(id)),
		Cells("Lifetime", lifetimeText(spec)),
		Cells("Bound to", boundText(spec.BindTo)),
	}
	if spec.State == v1alpha1.StateWithdrawn {
		rows = append(rows, []Cell{{Text: "  State"}, {Text: "Withdrawn", Style: Warn}})
	}
	if spec.AccessUntil != nil {
		rows = append(rows, Cells("Access until", At(spec.AccessUntil.Time, now)))
	}
	if spec.RevokeIssuedBefore != nil {
		rows = append(rows, Cells("Revoked", "what was issued before "+At(spec.RevokeIssuedBefore.Time, now)))
	}
	return rows
}

func keyText(id *v1alpha1.ClientIdentity) string {
	key := &id.Spec.PrivateKey
	kind := string(key.Algorithm)
	if key.Size > 0 {
		kind = fmt.Sprintf("%s %d", kind, key.Size)
	}
	if key.Source == v1alpha1.SourceHolder {
		return fmt.Sprintf("%s, made on each device (at most %d) and never seen by the operator", kind, maxDevices(id))
	}
	if key.RotationPolicy == v1alpha1.RotationNever {
		return kind + ", made by the operator, the same one for each certificate"
	}
	return kind + ", made by the operator, a new one for each certificate"
}

func lifetimeText(spec *v1alpha1.ClientIdentitySpec) string {
	lifetime := Days(spec.TTL.Duration)
	switch {
	case spec.RenewBefore != nil:
		before := Days(spec.RenewBefore.Duration)
		return fmt.Sprintf("%s, renewed %s before its end", lifetime.String(), before.String())
	case spec.RenewBeforePercentage != nil:
		return fmt.Sprintf("%s, renewed when %d %% are left", lifetime.String(), *spec.RenewBeforePercentage)
	}
	return lifetime.String() + ", renewed when a third is left"
}

func boundText(to v1alpha1.BindTo) string {
	if to == v1alpha1.BindToCredential {
		return "the credential: certificates that are revoked lose what the role bindings grant"
	}
	return "the user name: certificates keep what it is granted until they end"
}

// bindingRows returns the role bindings that the spec asks for.
func bindingRows(id *v1alpha1.ClientIdentity, now time.Time) [][]Cell {
	var rows [][]Cell
	for i := range id.Spec.RoleBindings {
		b := &id.Spec.RoleBindings[i]
		where := "in namespace " + b.Namespace
		if b.Namespace == "" {
			where = "in namespaces that match " + selectorText(b.NamespaceSelector)
		}
		rows = append(rows, Cells(""+b.Name, b.RoleRef.Kind+" "+b.RoleRef.Name, where, windowText(b.BindingWindow, now)))
	}
	for i := range id.Spec.ClusterRoleBindings {
		b := &id.Spec.ClusterRoleBindings[i]
		rows = append(rows, Cells(""+b.Name, "ClusterRole "+b.RoleRef.Name, "in the whole cluster", windowText(b.BindingWindow, now)))
	}
	return rows
}

func selectorText(s *v1alpha1.NamespaceSelector) string {
	if s == nil {
		return "nothing"
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for k, v := range s.MatchLabels {
		selector.MatchLabels[k] = string(v)
	}
	for _, e := range s.MatchExpressions {
		values := make([]string, len(e.Values))
		for i := range e.Values {
			values[i] = string(e.Values[i])
		}
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: e.Key, Operator: metav1.LabelSelectorOperator(e.Operator), Values: values,
		})
	}
	return metav1.FormatLabelSelector(selector)
}

func windowText(w v1alpha1.BindingWindow, now time.Time) string {
	var parts []string
	if w.ValidFrom != nil {
		parts = append(parts, "from "+At(w.ValidFrom.Time, now))
	}
	if w.ValidUntil != nil {
		parts = append(parts, "until "+At(w.ValidUntil.Time, now))
	}
	return strings.Join(parts, " ")
}

func placed(id *v1alpha1.ClientIdentity) string {
	if id.Status.BoundBindings == 1 {
		return "1 in place"
	}
	return fmt.Sprintf("%d in place", id.Status.BoundBindings)
}

func printObstacles(p *Printer, found []obstacle, state v1alpha1.ObservedState) {
	if len(found) == 0 {
		p.Table(nil, [][]Cell{{{Text: "Nothing.", Style: Good}}})
		return
	}
	style := Warn
	if state == v1alpha1.ObservedStalled {
		style = Bad
	}
	for _, o := range found {
		p.Table(nil, [][]Cell{{{Text: o.what, Style: style}, {Text: o.message}}})
		for _, line := range o.advice {
			p.Table(nil, [][]Cell{Cells("->", line)})
		}
	}
}

// printIssued prints the certificates that there are, on which device, and what they are published in.
func printIssued(p *Printer, id *v1alpha1.ClientIdentity, now time.Time) {
	var rows [][]Cell
	headings := []string{"REVISION", "EXPIRES", "RENEWS", "STANDING", "FINGERPRINT"}
	if id.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		headings = append([]string{"DEVICE"}, append([]string{"REVISION"}, headings[1:]...)...)
		rows = deviceRows(id, now)
	} else {
		rows = certificateRows(id, now)
	}
	if len(rows) == 0 {
		rows, headings = [][]Cell{Cells("Nothing is issued.")}, nil
	}
	p.Table(headings, rows)
	if ref := id.Status.SecretRef; ref != nil && access.End(id, now) == nil {
		server := ""
		if id.Status.Server != nil {
			server = ", with a kubeconfig for " + id.Status.Server.URL
		}
		p.Table(nil, [][]Cell{Cells(fmt.Sprintf("Published in the Secret %s/%s%s", ref.Namespace, ref.Name, server))})
	}
}
