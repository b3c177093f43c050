// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package binding makes the role bindings of identities as they are wanted, with the Role that lets the holder of a credential
// read its Secret, and finds what else grants the holder something. It touches RBAC objects, and no other dependent.
package binding

import (
	"context"
	"errors"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
)

// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;clusterrolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;clusterroles,verbs=bind,roleName=client-identity-operator-bind
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles,namespace=client-identities,verbs=get;list;watch;create;update;delete

// Writer makes role bindings as they are wanted.
type Writer struct {
	// Client reads what is labelled as ours from caches, knows its own writes, and writes.
	Client client.Client
	// Live reads past the caches.
	Live client.Reader
	// Small reads as Live does, and fails where an answer is large, whoever made it so; nil where every look is made in small pages.
	Small client.Reader
	// SlowLook is how often to look whether something is gone that no watch of ours tells of.
	SlowLook time.Duration

	survey survey
}

// Mode says how far a Writer may go.
type Mode int

const (
	// Exact makes the bindings exactly those that are wanted.
	Exact Mode = iota
	// Narrowing takes away what is not wanted, and gives nobody anything: something else stands in the way of that.
	Narrowing
)

// Wanted is what an identity is to have.
type Wanted struct {
	Identity *v1alpha1.ClientIdentity
	// Bindings are those that are wanted now, and Missing those that cannot be placed.
	Bindings []access.Binding
	Missing  []access.Gap
	// Thorough asks for a look past the caches for objects of the identity that lost their labels: nothing else finds those.
	Thorough bool
	// Reader is the Role and the bindings that let holders read the published Secret; nil where that is not wanted.
	Reader *Reader
	// Current fails, with ErrStale, where the identity is an old one: somebody else may have carried out a newer spec. It is asked
	// before anything is changed where that is Doubtful, and where a binding names a later credential, or is not as the cache has it.
	Current  func(context.Context) error
	Doubtful bool
}

// Outcome is what was done about the bindings of an identity.
type Outcome struct {
	// Bound is how many of the wanted bindings are in place as they should be.
	Bound int32
	// Gone says that nothing is left that is not wanted, not even an object that is being deleted.
	Gone bool
	// Err is what stands in the way, the most telling first: a problem, or an error that nothing more is known of; nil where
	// nothing does.
	Err error
	// Stale says that a cache was behind in something.
	Stale bool
	// Revoked are the bindings that still give something to certificates that a revocation is meant for, and Unknown says
	// that nobody knows whether there are any.
	Revoked []access.Key
	Unknown bool
	// Waits says that a look past the caches is awaited: a pass is asked for when it has been made.
	Waits bool
	// Reader says that a binding was there that lets a holder read the Secret.
	Reader bool
}

// Unseen is the outcome where nobody could look: so many were bound before, and err is why.
func Unseen(bound int32, err error) Outcome { return Outcome{Bound: bound, Err: err, Unknown: true} }

// Apply makes the bindings of an identity as they are wanted. What stands in the way of one of them does not hold up the others.
func (w *Writer) Apply(ctx context.Context, want Wanted, mode Mode) Outcome {
	readerErr := w.applyRole(ctx, want, mode)
	wanted := want.Bindings
	if want.Reader != nil && (readerErr == nil || errors.Is(readerErr, problem.ErrStale)) {
		wanted = append(wanted[:len(wanted):len(wanted)], want.Reader.bindings...)
	}
	observed, err := w.observe(ctx, want.Identity, wanted)
	if err != nil {
		return Unseen(0, err)
	}
	done := w.carryOut(ctx, want, wanted, mode, observed, false, readerErr)
	if !want.Thorough && !w.survey.suspects(want.Identity) {
		return done
	}
	// What the caches know was changed before anything is looked for: a revocation does not wait for that.
	live, err := w.observeLive(ctx, want.Identity, wanted)
	switch {
	case err != nil:
		return Outcome{Bound: done.Bound, Err: problem.Join(done.Err, err), Stale: done.Stale, Revoked: done.Revoked, Unknown: true}
	case live == nil:
		done.Waits = true
		return done
	}
	rest, inOrder := live.rest(wanted)
	again := w.carryOut(ctx, want, rest, mode, live.found, true, readerErr)
	again.Bound += inOrder
	again.Reader = again.Reader || done.Reader
	if live.more {
		again.Gone, again.Stale, again.Unknown = false, true, true // another look follows
	}
	if again.Err == nil && !again.Stale && again.Gone {
		w.survey.clear(want.Identity.UID)
	}
	return again
}

// Forget drops what was asked about the identity of that name.
func (w *Writer) Forget(name string) { w.survey.forget(name) }

// carryOut makes what was observed as it is wanted.
func (w *Writer) carryOut(
	ctx context.Context, want Wanted, wanted []access.Binding, mode Mode, observed observations, live bool, readerErr error,
) Outcome {
	plan := access.Diff(wanted, observed.all())
	if mode == Narrowing {
		plan = plan.Narrowing()
	}
	if want.inDoubt(plan) {
		if err := want.Current(ctx); errors.Is(err, problem.ErrStale) {
			return Outcome{Bound: int32(plan.Bound), Stale: true, Unknown: true}
		} else if err != nil {
			return Outcome{Bound: int32(plan.Bound), Err: err, Unknown: true}
		}
	}
	run := &application{writer: w, identity: want.Identity, current: want.Current, observed: observed, plan: plan, live: live}
	return run.outcome(run.carryOut(ctx), want.Missing, readerErr)
}

// inDoubt says whether the plan may be about to undo what a newer spec asks for.
func (w *Wanted) inDoubt(plan access.Plan) bool {
	changed := plan.Changed()
	newer := func(o access.Observed) bool { return access.GrantsNewerCredential(w.Identity, o.Subjects) }
	return (w.Doubtful && len(changed)+len(plan.Create) > 0) || slices.ContainsFunc(changed, newer)
}
