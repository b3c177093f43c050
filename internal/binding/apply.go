// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
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
	case !access.GrantsRevoked(a.identity, have.Subjects):
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

// errTaken says that the plan has a conflict or a wait more.
var errTaken = errors.New("name is taken")

func (a *application) create(ctx context.Context, want access.Binding) error {
	object := a.object(want)
	err := a.writer.Client.Create(ctx, object)
	if err == nil {
		a.settle(want.Key(), object)
		log.FromContext(ctx).Info("bound", "binding", want.Key().String(), "role", want.RoleRef.Kind+"/"+want.RoleRef.Name)
	}
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	// The cache holds labelled objects only: see what it is.
	object = newBinding(want.Key())
	if err := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	found := asObserved(object, a.identity)
	a.observed[want.Key()] = found
	again := access.Diff([]access.Binding{want}, []access.Observed{found.Observed})
	switch {
	case len(again.Conflicts) > 0:
		a.plan.Conflicts = append(a.plan.Conflicts, again.Conflicts...)
		return errTaken
	case len(again.Waiting) > 0:
		a.plan.Waiting = append(a.plan.Waiting, again.Waiting...)
		// What it grants meanwhile matters as much as before.
		for _, have := range again.Empty {
			if err := a.empty(ctx, have); err != nil {
				return err
			}
		}
		for _, change := range again.Update {
			if err := a.update(ctx, change); err != nil {
				return err
			}
		}
		return errTaken
	case len(again.Update) > 0:
		return a.update(ctx, again.Update[0])
	case len(again.Replace) > 0:
		if err := a.remove(ctx, again.Replace[0].Have); err != nil {
			return err
		}
		return a.writer.Client.Create(ctx, a.object(want))
	}
	return nil
}

// object returns the object for a binding.
func (a *application) object(want access.Binding) client.Object {
	meta := dependent.Meta(a.identity, client.ObjectKey{Namespace: want.Namespace, Name: want.Name})
	subjects := []rbacv1.Subject{want.Subject}
	if want.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: want.RoleRef, Subjects: subjects}
	}
	return &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: want.RoleRef, Subjects: subjects}
}

// update makes an object of ours as it should be. Labels and annotations of others stay. Where the API server refuses
// that, as it does once the operator may not bind the role any more, a binding that grants others something goes:
// a revoked credential or an added subject would keep it.
func (a *application) update(ctx context.Context, change access.Change) error {
	wanted := []rbacv1.Subject{change.Want.Subject}
	revoked := access.GrantsRevoked(a.identity, change.Have.Subjects)
	object, err := a.patch(ctx, change.Have.Key(), dependent.Labels(a.identity), wanted)
	if revoked && apierrors.IsConflict(err) {
		// A revocation does not wait for the cache, nor take admission's word for it that somebody changed the binding.
		if err = a.lookAgain(ctx, change.Have, err); err == nil {
			object, err = a.patch(ctx, change.Have.Key(), dependent.Labels(a.identity), wanted)
		}
	}
	if err == nil {
		a.settle(change.Have.Key(), object)
		log.FromContext(ctx).Info("corrected", "binding", change.Have.Key().String())
		return nil
	}
	if (revoked && answered(err)) || ((mayNotBind(change.Want.RoleRef, err) || apierrors.IsInvalid(err)) && !slices.Equal(change.Have.Subjects, wanted)) {
		return errors.Join(a.remove(ctx, change.Have), err)
	}
	return err
}

// answered says whether the API server, or its admission, decided against a write, whatever it said.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// lookAgain reads a binding live after a conflict. It returns nil where that is another version than the one that was seen, and
// otherwise what to say of a conflict that is none.
func (a *application) lookAgain(ctx context.Context, have access.Observed, conflict error) error {
	object := newBinding(have.Key())
	if err := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	if object.GetResourceVersion() == a.observed[have.Key()].object.GetResourceVersion() {
		return apierrors.NewForbidden(rbacv1.Resource(have.Key().Kind()), have.Name, conflict)
	}
	a.observed[have.Key()] = asObserved(object, a.identity)
	return nil
}

// settle remembers that an object names nobody but whom it should, and whether admission left its labels alone.
func (a *application) settle(key access.Key, object client.Object) {
	if a.settled == nil {
		a.settled = map[access.Key]bool{}
	}
	a.settled[key] = true
	if object != nil && !dependent.Labelled(object, a.identity) {
		a.altered = append(a.altered, key)
	}
}

// empty takes the subjects of a binding away, so that it grants nothing.
func (a *application) empty(ctx context.Context, have access.Observed) error {
	object, err := a.patch(ctx, have.Key(), nil, nil)
	if err = a.unlessGone(ctx, have, err); err != nil {
		return err
	}
	a.settle(have.Key(), nil)
	found := a.observed[have.Key()]
	found.object, found.ResourceVersion = object, object.GetResourceVersion()
	a.observed[have.Key()] = found
	return nil
}

// patch sets labels and subjects of a binding, the one that was seen and only that, and returns it as it is then.
// What others set on it stays: the cache does not even keep it.
func (a *application) patch(ctx context.Context, key access.Key, labels map[string]string, subjects []rbacv1.Subject) (client.Object, error) {
	object, ok := a.observed[key].object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s is no object", key)
	}
	meta := map[string]any{"uid": object.GetUID(), "resourceVersion": object.GetResourceVersion()}
	if labels != nil {
		meta["labels"] = labels // null would take all of them away
	}
	data, err := json.Marshal(map[string]any{"metadata": meta, "subjects": subjects})
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", key, err)
	}
	return object, a.writer.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, data))
}

// remove deletes a binding, the one that was seen and only that. Where a finalizer would keep it, its subjects
// go first: a binding that is being deleted still grants.
func (a *application) remove(ctx context.Context, have access.Observed) error {
	if have.EmptyFirst() {
		// Emptying takes the right to bind the role, and an update that admission lets pass; deleting does not.
		if err := a.empty(ctx, have); err != nil && !answered(err) {
			return err
		}
	}
	object := a.observed[have.Key()].object
	uid, version := object.GetUID(), object.GetResourceVersion()
	err := a.writer.Client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if apierrors.IsConflict(err) && access.GrantsRevoked(a.identity, have.Subjects) {
		if err = a.lookAgain(ctx, have, err); err == nil {
			err = problem.ErrStale
		}
	}
	if err = a.unlessGone(ctx, have, err); err != nil {
		return err
	}
	if !have.Finalizers {
		a.settle(have.Key(), nil)
	}
	log.FromContext(ctx).Info("unbound", "binding", have.Key().String())
	return nil
}

// unlessGone returns nil for a write that was answered with Not Found where the object is gone indeed: admission answers
// with any code that it likes.
func (a *application) unlessGone(ctx context.Context, have access.Observed, err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	object := newBinding(have.Key())
	switch liveErr := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); {
	case apierrors.IsNotFound(liveErr), liveErr == nil && object.GetUID() != have.UID:
		return nil
	case liveErr != nil:
		return liveErr
	}
	return apierrors.NewForbidden(rbacv1.Resource(have.Key().Kind()), have.Name, err)
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

// stillRevoked returns the bindings that still give something to certificates that a revocation is meant for.
func (a *application) stillRevoked() []access.Key {
	var keys []access.Key
	for key, have := range a.observed {
		if (have.Owned || have.Orphan) && !a.settled[key] && access.GrantsRevoked(a.identity, have.Subjects) {
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
