// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/problem"
)

// effect is what came of the writes of one binding.
type effect struct {
	// found is the object as it was seen last, where that was after the plan was made.
	found *observation
	// settled says that it names nobody but whom it should by now, or is gone; altered, that admission changed its labels.
	settled, altered bool
	// conflicts and waiting are what the plan would have said, had it known what has the name.
	conflicts []access.Conflict
	waiting   []access.Wait
	err       error
}

// then returns the effect of one write and another one after it.
func (e effect) then(next effect) effect {
	if next.found == nil {
		next.found = e.found
	}
	next.settled, next.altered = e.settled || next.settled, e.altered || next.altered
	next.conflicts, next.waiting = append(e.conflicts, next.conflicts...), append(e.waiting, next.waiting...)
	return next
}

// failed returns the effect with another error, or with none.
func (e effect) failed(err error) effect {
	e.err = err
	return e
}

// latest returns an object as it was seen last.
func (e effect) latest(have observation) observation {
	if e.found != nil && e.found.UID == have.UID {
		return *e.found
	}
	return have
}

// tally is what the writes of one pass add up to. It lives as long as one Apply.
type tally struct {
	// bound counts the wanted bindings that came into place.
	bound int
	// found are the objects as they were seen last.
	found observations
	// settled are the objects that name nobody but whom they should by now, or are gone; altered, those whose labels
	// admission changed.
	settled   sets.Set[access.Key]
	altered   []access.Key
	conflicts []access.Conflict
	waiting   []access.Wait
	// refused are the words of the API server where it did not allow a write.
	refused []refusal
	// err is the first error that nothing more is known of; stale says that a cache was behind.
	err   error
	stale bool
	// written and left count the writes that were made, and those that there was no time for; turned are the bindings that were made or changed.
	written, left, turned int
}

type refusal struct {
	key  access.Key
	role rbacv1.RoleRef
	err  error
}

// String names the role, which the API server does not.
func (r refusal) String() string {
	return fmt.Sprintf("%s for %s %q: %v", r.key, r.role.Kind, r.role.Name, r.err)
}

// inTime says whether there is time for another write, and counts those that there is none for.
func (t *tally) inTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		t.left++
		return false
	}
	return true
}

// inTurn says the same of a binding that is made or changed while no revocation waits for it.
func (t *tally) inTurn(ctx context.Context) bool {
	if t.turned >= turn {
		t.left++
		return false
	}
	return t.inTime(ctx)
}

// made counts a binding that was made or changed, and whether it is in place by that.
func (t *tally) made(inPlace bool) {
	t.turned++
	if inPlace {
		t.bound++
	}
}

// rest is when a pass follows for what is left.
func (t *tally) rest() time.Duration {
	if t.turned >= turn {
		return untilTheRest
	}
	return time.Second
}

// add counts an effect, and says whether nothing was in its way. A conflict is nobody's fault: the watch brings what was
// changed, and with it another pass.
func (t *tally) add(key access.Key, role rbacv1.RoleRef, e effect) bool {
	if e.found != nil {
		t.found[key] = *e.found
	}
	if e.settled {
		t.settled.Insert(key)
	}
	if e.altered {
		t.altered = append(t.altered, key)
	}
	t.conflicts, t.waiting = append(t.conflicts, e.conflicts...), append(t.waiting, e.waiting...)
	switch err := e.err; {
	case err == nil:
		t.written++
		return true
	case errors.Is(err, errTaken):
	case errors.Is(err, context.DeadlineExceeded) && t.written > 0:
		t.left++
	case errors.Is(err, problem.ErrStale), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		t.stale = true
	case mayNotBind(role, err), apierrors.IsInvalid(err):
		t.refused = append(t.refused, refusal{key, role, err})
	case t.err == nil:
		t.err = fmt.Errorf("write %s: %w", key, err)
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
