// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/text"
)

// application is a plan that is being carried out, with a tally of what could not be done. It lives as long as one Apply.
type application struct {
	writer   *Writer
	identity *v1alpha1.ClientIdentity
	observed observations
	plan     access.Plan
	// refused are the words of the API server where it did not allow a write.
	refused []refusal
	// err is the first error that nothing more is known of; stale says that a cache was behind.
	err   error
	stale bool
	// written and left count the writes that were made, and those that there was no time for.
	written, left int
	// live says that the objects were read past the caches.
	live bool
	// settled are the objects that name nobody but whom they should by now, or are gone.
	settled map[access.Key]bool
	// altered are the objects whose labels admission changed.
	altered []access.Key
}

// timeForWrites bounds the writes of bindings in one pass. A selector may ask for thousands: the rest is written by the
// next pass, and the credential waits for none of them.
const timeForWrites = 30 * time.Second

type refusal struct {
	key  access.Key
	role rbacv1.RoleRef
	err  error
}

// String names the role, which the API server does not.
func (r refusal) String() string {
	return fmt.Sprintf("%s for %s %q: %v", r.key, r.role.Kind, r.role.Name, r.err)
}

// carryOut makes the writes of the plan. What a revocation takes away comes first, and of that what lets a holder read the
// Secret: everything else would be too late for it.
func (a *application) carryOut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, timeForWrites)
	defer cancel()
	slices.SortStableFunc(a.plan.Update, func(x, y access.Change) int { return cmp.Compare(a.urgency(x.Have), a.urgency(y.Have)) })
	slices.SortStableFunc(a.plan.Delete, func(x, y access.Observed) int { return cmp.Compare(a.urgency(x), a.urgency(y)) })
	urgent := slices.IndexFunc(a.plan.Delete, func(o access.Observed) bool { return a.urgency(o) == notUrgent })
	if urgent < 0 {
		urgent = len(a.plan.Delete)
	}
	for _, have := range a.plan.Delete[:urgent] {
		_ = a.inTime(ctx) && a.note(have.Key(), have.RoleRef, a.remove(ctx, have))
	}
	for _, have := range a.plan.Empty {
		_ = a.inTime(ctx) && a.note(have.Key(), have.RoleRef, a.empty(ctx, have))
	}
	for _, change := range a.plan.Update {
		if a.inTime(ctx) && a.note(change.Have.Key(), change.Want.RoleRef, a.update(ctx, change)) && !change.Have.Deleting {
			a.plan.Bound++
		}
	}
	for _, want := range a.plan.Create {
		if a.inTime(ctx) && a.note(want.Key(), want.RoleRef, a.create(ctx, want)) {
			a.plan.Bound++
		}
	}
	for _, change := range a.plan.Replace {
		key, role := change.Have.Key(), change.Want.RoleRef
		if a.inTime(ctx) && a.note(key, role, a.remove(ctx, change.Have)) && a.note(key, role, a.create(ctx, change.Want)) {
			a.plan.Bound++
		}
	}
	for _, have := range a.plan.Delete[urgent:] {
		_ = a.inTime(ctx) && a.note(have.Key(), have.RoleRef, a.remove(ctx, have))
	}
}

// notUrgent is the urgency of what a revocation does not wait for.
const notUrgent = 2

// urgency says how early a binding is to be changed or deleted: 0 comes first.
func (a *application) urgency(have access.Observed) int {
	switch {
	case !access.GrantsOthers(a.identity, have.Subjects):
		return notUrgent
	case strings.Contains(have.Name, ":"+readerName+":"):
		return 0
	}
	return 1
}

// inTime says whether there is time for another write, and counts those that there is none for.
func (a *application) inTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		a.left++
		return false
	}
	return true
}

// note keeps an error, and says whether there was none. A conflict is nobody's fault: the watch brings
// what was changed, and with it another pass.
func (a *application) note(key access.Key, role rbacv1.RoleRef, err error) bool {
	switch {
	case err == nil:
		a.written++
		return true
	case errors.Is(err, errTaken):
	case errors.Is(err, context.DeadlineExceeded) && a.written > 0:
		a.left++
	case errors.Is(err, problem.ErrStale), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		a.stale = true
	case mayNotBind(role, err), apierrors.IsInvalid(err):
		a.refused = append(a.refused, refusal{key, role, err})
	case a.err == nil:
		a.err = fmt.Errorf("write %s: %w", key, err)
	}
	return false
}

// mayNotBind says whether the API server refused a binding of a role, or looked what the role gives, since the operator
// may not bind every role, and found none. It names the role then, as if it were the binding.
func mayNotBind(role rbacv1.RoleRef, err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return apierrors.IsForbidden(err)
	}
	missing := status.Status().Details
	return missing.Group == rbacv1.GroupName && missing.Name == role.Name
}

// outcome returns what was done. ReaderErr is what stands in the way of the Role for the holder.
func (a *application) outcome(missing []access.Gap, readerErr error) Outcome {
	stale := a.stale
	if errors.Is(readerErr, problem.ErrStale) {
		stale, readerErr = true, nil
	}
	return Outcome{
		Bound: int32(a.plan.Bound), Gone: a.plan.Gone(), Stale: stale, Err: cmp.Or(a.inTheWay(missing), readerErr), Revoked: a.stillRevoked(),
	}
}

// stillRevoked returns the bindings that still give something to certificates that a revocation is meant for. After a live
// look that is whatever names anybody else; otherwise what is known to, so that a stranger's subject holds up no renewal.
func (a *application) stillRevoked() []access.Key {
	var keys []access.Key
	grants := access.GrantsRevoked
	if a.live {
		grants = access.GrantsOthers
	}
	for key, have := range a.observed {
		ours := have.Owned || have.Orphan
		if (ours && !a.settled[key] && grants(a.identity, have.Subjects)) || (!ours && access.GrantsOlderCredential(a.identity, have.Subjects)) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, access.Key.Compare)
	return keys
}

// inTheWay returns what stands in the way of the wanted bindings, the most telling first.
func (a *application) inTheWay(missing []access.Gap) error {
	switch {
	case a.err != nil:
		return a.err
	case a.left > 0:
		return problem.NewWaiting(v1alpha1.ReasonPending, time.Second, "role bindings that are still to be written: %d", a.left)
	case len(a.plan.Conflicts) > 0:
		return problem.NewWaiting(v1alpha1.ReasonBindingConflict, a.writer.SlowLook, "%s", access.Message(a.plan.Conflicts))
	case len(a.refused) > 0:
		return problem.NewStalled(v1alpha1.ReasonBindingForbidden,
			"the API server does not let the operator make a binding: choose another role, or grant the operator bind on it: %s",
			text.Shorten(access.Message(a.refused), problem.MaxMessage)).Again(a.writer.SlowLook)
	case len(missing) > 0:
		return problem.NewWaiting(v1alpha1.ReasonNamespaceMissing, 0, "%s", access.Message(missing))
	case len(a.plan.Waiting) > 0:
		// One without our labels is watched by nobody.
		return problem.NewWaiting(v1alpha1.ReasonBindingTerminating, a.writer.SlowLook, "%s", access.Message(a.plan.Waiting))
	case len(a.altered) > 0:
		return problem.NewWaiting(v1alpha1.ReasonBindingAltered, a.writer.SlowLook,
			"admission of the cluster changes the labels of %s: exempt the operator from it, so that a change of these bindings is noticed",
			access.Message(a.altered))
	case len(a.plan.Leaving) > 0 || len(a.plan.Empty) > 0:
		return problem.NewWaiting(v1alpha1.ReasonBindingTerminating, 0, "bindings that are not wanted any more still exist, without subjects, so that they grant nothing: %s",
			access.Message(slices.Concat(a.plan.Leaving, a.plan.Empty)))
	}
	return nil
}
