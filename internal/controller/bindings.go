// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
)

// bindings is the phase that makes the role bindings exactly those that the spec asks for now.
type bindings struct {
	writer *binding.Writer
	// protected are the namespaces that no selector selects.
	protected sets.Set[string]
}

// bindingsOutcome is what was done about the bindings.
type bindingsOutcome struct {
	report.Bindings
	// err is what stands in the way: a problem, or an error that nothing more is known of.
	err   error
	stale bool
	// next is when to look again at the latest; zero where a watch tells.
	next time.Time
}

// apply makes the bindings as they are wanted. Where something is in the way of the whole identity, it only takes away: a
// revocation, the end of a binding and its removal from the spec wait for nobody.
func (b *bindings) apply(ctx context.Context, l look.Look) bindingsOutcome {
	mode := binding.Exact
	if l.Obstacle != nil {
		mode = binding.Narrowing
	}
	if err := errors.Join(l.NamespacesErr, l.ReadableErr); err != nil {
		return b.outcome(l, binding.Outcome{Bound: l.Status.BoundBindings, Err: err}, access.Result{})
	}
	group := access.BoundGroup(l.Identity, l.PublishedGroups())
	desired := access.Desired(l.Identity, l.Namespaces, b.protected, group, l.Now)
	want := binding.Wanted{Identity: l.Identity, Bindings: desired.Bindings, Missing: desired.Missing}
	if l.Readable {
		want.Reader = binding.NewReader(l.Identity, l.Target.Place, access.WantedGroup(l.Identity))
	}
	return b.outcome(l, b.writer.Apply(ctx, want, mode), desired)
}

func (b *bindings) outcome(l look.Look, done binding.Outcome, desired access.Result) bindingsOutcome {
	err := done.Err
	if l.Obstacle != nil && (err == nil || problem.As(err) != nil) {
		// What is in the way of everything is what to tell of, unless taking away failed.
		err = l.Obstacle
	}
	return bindingsOutcome{
		Bindings: report.Bindings{Bound: done.Bound, OutOfTime: desired.OutOfTime, Problem: problem.Of(err)},
		err:      err, stale: done.Stale && err == nil, next: desired.Next,
	}
}
