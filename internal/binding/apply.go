// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/text"
)

// application is a plan that is being carried out: what was observed, and what to do about it. What comes of its writes adds
// up in a tally; the application itself is not changed.
type application struct {
	writer   *Writer
	identity *v1alpha1.ClientIdentity
	current  func(context.Context) error
	observed observations
	plan     access.Plan
	// live says that the objects were read past the caches.
	live bool
}

const (
	// timeForWrites bounds the writes of bindings in one pass.
	timeForWrites = 30 * time.Second
	// turn is how many bindings a pass makes or changes that no revocation waits for. A selector may ask for thousands: the rest is written by
	// later passes, so that some such identities do not take all workers from the others, and the credential waits for none of them. What
	// is refused does not count, or it would keep later ones from being made, and nor does what is taken away: access ends at once.
	turn = 24
	// untilTheRest is when the next pass follows after a turn, behind whoever waits.
	untilTheRest = 100 * time.Millisecond
)

// carryOut makes the writes of the plan. What a revocation takes away comes first, and of that what lets a holder read the
// Secret: everything else would be too late for it.
func (a *application) carryOut(ctx context.Context) *tally {
	ctx, cancel := context.WithTimeout(ctx, timeForWrites)
	defer cancel()
	updates := slices.SortedStableFunc(slices.Values(a.plan.Update), func(x, y access.Change) int { return cmp.Compare(a.urgency(x.Have), a.urgency(y.Have)) })
	deletions := slices.SortedStableFunc(slices.Values(a.plan.Delete), func(x, y access.Observed) int { return cmp.Compare(a.urgency(x), a.urgency(y)) })
	urgent := slices.IndexFunc(deletions, func(o access.Observed) bool { return a.urgency(o) == notUrgent })
	if urgent < 0 {
		urgent = len(deletions)
	}
	t := &tally{found: observations{}, settled: sets.New[access.Key]()}
	remove := func(have access.Observed) {
		_ = t.inTime(ctx) && t.add(have.Key(), have.RoleRef, a.remove(ctx, a.observed[have.Key()]))
	}
	for _, have := range deletions[:urgent] {
		remove(have)
	}
	for _, have := range a.plan.Empty {
		_ = t.inTime(ctx) && t.add(have.Key(), have.RoleRef, a.empty(ctx, a.observed[have.Key()]))
	}
	for _, change := range updates {
		if a.inTime(ctx, t, change.Have) && t.add(change.Have.Key(), change.Want.RoleRef, a.update(ctx, a.observed[change.Have.Key()], change.Want)) {
			t.made(!change.Have.Deleting)
		}
	}
	for _, want := range a.plan.Create {
		if t.inTurn(ctx) && t.add(want.Key(), want.RoleRef, a.create(ctx, want)) {
			t.made(true)
		}
	}
	for _, change := range a.plan.Replace {
		key, role := change.Have.Key(), change.Want.RoleRef
		if t.inTurn(ctx) && t.add(key, role, a.remove(ctx, a.observed[key])) && t.add(key, role, a.create(ctx, change.Want)) {
			t.made(true)
		}
	}
	for _, have := range deletions[urgent:] {
		remove(have)
	}
	return t
}

// notUrgent is the urgency of what a revocation does not wait for.
const notUrgent = 2

// inTime says whether there is time to change a binding: what a revocation waits for has no turn.
func (a *application) inTime(ctx context.Context, t *tally, have access.Observed) bool {
	if a.urgency(have) == notUrgent {
		return t.inTurn(ctx)
	}
	return t.inTime(ctx)
}

// urgency says how early a binding is to be changed or deleted: 0 comes first.
func (a *application) urgency(have access.Observed) int {
	switch {
	case !access.GrantsOthers(a.identity, have.Subjects):
		return notUrgent
	case isReader(have.Name):
		return 0
	}
	return 1
}

// outcome returns what was done. ReaderErr is what stands in the way of the Role for the holder.
func (a *application) outcome(t *tally, missing []access.Gap, readerErr error) Outcome {
	stale := t.stale
	if errors.Is(readerErr, problem.ErrStale) {
		stale, readerErr = true, nil
	}
	reader := false
	for key := range a.observed {
		reader = reader || isReader(key.Name)
	}
	return Outcome{
		Reader: reader,
		Bound:  int32(a.plan.Bound + t.bound), Gone: a.plan.Gone(), Stale: stale, Err: problem.Join(a.inTheWay(t, missing), readerErr), Revoked: a.stillRevoked(t),
	}
}

// stillRevoked returns the bindings that still give something to certificates that a revocation is meant for. After a live
// look that is whatever names anybody else; otherwise what is known to, so that a stranger's subject holds up no renewal.
func (a *application) stillRevoked(t *tally) []access.Key {
	var keys []access.Key
	grants := access.GrantsRevoked
	if a.live {
		grants = access.GrantsOthers
	}
	observed := maps.Clone(a.observed)
	maps.Copy(observed, t.found)
	for key, have := range observed {
		ours := have.Owned || have.Orphan
		if (ours && !t.settled.Has(key) && grants(a.identity, have.Subjects)) || (!ours && access.GrantsOlderCredential(a.identity, have.Subjects)) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, access.Key.Compare)
	return keys
}

// inTheWay returns what stands in the way of the wanted bindings, the most telling first.
func (a *application) inTheWay(t *tally, missing []access.Gap) error {
	all := []error{t.err}
	waits := func(there int, reason string, retry time.Duration, format string, args ...any) {
		if there > 0 {
			all = append(all, problem.NewWaiting(reason, retry, format, args...))
		}
	}
	conflicts, waiting := slices.Concat(a.plan.Conflicts, t.conflicts), slices.Concat(a.plan.Waiting, t.waiting)
	waits(t.left, v1alpha1.ReasonPending, t.rest(), "role bindings that are still to be written: %d", t.left)
	waits(len(conflicts), v1alpha1.ReasonBindingConflict, a.writer.SlowLook, "%s", access.Message(conflicts))
	if len(t.refused) > 0 {
		all = append(all, problem.NewStalled(v1alpha1.ReasonBindingForbidden,
			"the API server does not let the operator make a binding: choose another role, grant the operator bind on it, or raise the quota where that is used up: %s",
			text.Shorten(access.Message(t.refused), problem.MaxMessage)).Again(a.writer.SlowLook))
	}
	waits(len(missing), v1alpha1.ReasonNamespaceMissing, 0, "%s", access.Message(missing))
	// One without our labels is watched by nobody.
	waits(len(waiting), v1alpha1.ReasonBindingTerminating, a.writer.SlowLook, "%s", access.Message(waiting))
	waits(len(t.altered), v1alpha1.ReasonBindingAltered, a.writer.SlowLook,
		"admission of the cluster changes the labels of %s: exempt the operator from it, so that a change of these bindings is noticed",
		access.Message(t.altered))
	leaving, retry := slices.Concat(a.plan.Leaving, a.plan.Empty), time.Duration(0)
	if slices.ContainsFunc(leaving, func(o access.Observed) bool { return o.MetadataDrift }) {
		retry = a.writer.SlowLook
	}
	waits(len(leaving), v1alpha1.ReasonBindingTerminating, retry,
		"bindings that are not wanted any more still exist, without subjects, so that they grant nothing: %s", access.Message(leaving))
	return problem.Join(all...)
}
