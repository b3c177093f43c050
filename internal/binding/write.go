// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/problem"
)

// errTaken says that the plan has a conflict or a wait more.
var errTaken = errors.New("name is taken")

func (a *application) create(ctx context.Context, want access.Binding) error {
	object := a.object(want)
	err := a.writer.Client.Create(ctx, object)
	if err == nil {
		if err := a.settle(want.Key(), object, want.Subject); err != nil {
			return err
		}
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
		made := a.object(want)
		if err := a.writer.Client.Create(ctx, made); err != nil {
			return err
		}
		return a.settle(want.Key(), made, want.Subject)
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
	have, wanted := change.Have, []rbacv1.Subject{change.Want.Subject}
	urgent := access.GrantsOthers(a.identity, have.Subjects)
	object, err := a.patch(ctx, have.Key(), dependent.Labels(a.identity), wanted)
	if urgent && apierrors.IsConflict(err) {
		// A revocation does not wait for the cache, nor take admission's word for it that somebody changed the binding.
		if have, err = a.lookAgain(ctx, have, err); err == nil {
			object, err = a.patch(ctx, have.Key(), dependent.Labels(a.identity), wanted)
		}
	}
	if err == nil {
		err = a.settle(have.Key(), object, wanted...)
	}
	if err == nil {
		log.FromContext(ctx).Info("corrected", "binding", have.Key().String())
		return nil
	}
	if (urgent && answered(err)) || ((mayNotBind(change.Want.RoleRef, err) || apierrors.IsInvalid(err)) && !slices.Equal(have.Subjects, wanted)) {
		return errors.Join(a.remove(ctx, a.latest(have)), err)
	}
	return err
}

// latest returns an object as it was seen last.
func (a *application) latest(have access.Observed) access.Observed {
	if found, known := a.observed[have.Key()]; known && found.UID == have.UID {
		return found.Observed
	}
	return have
}

// answered says whether the API server, or its admission, decided against a write, whatever it said.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// lookAgain reads a binding live after a conflict, and returns it as it is. It fails with what to say of a conflict that is
// none, and with ErrStale where another object is in its place.
func (a *application) lookAgain(ctx context.Context, have access.Observed, conflict error) (access.Observed, error) {
	object := newBinding(have.Key())
	if err := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return have, err
	}
	found := asObserved(object, a.identity)
	switch {
	case found.UID != have.UID || (!found.Owned && !found.Orphan):
		return have, problem.ErrStale
	case found.ResourceVersion == a.observed[have.Key()].object.GetResourceVersion():
		return have, apierrors.NewForbidden(rbacv1.Resource(have.Key().Kind()), have.Name, conflict)
	}
	a.observed[have.Key()] = found
	return found.Observed, nil
}

// settle remembers that an object was answered with those subjects, and whether admission left its labels alone. It fails where
// the answer has other subjects: admission may change them, and say that all is well.
func (a *application) settle(key access.Key, object client.Object, subjects ...rbacv1.Subject) error {
	found := asObserved(object, a.identity)
	a.observed[key] = found
	if !slices.Equal(found.Subjects, subjects) {
		return apierrors.NewForbidden(rbacv1.Resource(key.Kind()), key.Name, errors.New("admission of the cluster changes the subjects"))
	}
	a.done(key)
	if len(subjects) > 0 && !dependent.Labelled(object, a.identity) {
		a.altered = append(a.altered, key)
	}
	return nil
}

// done remembers that an object grants nobody but whom it should any more.
func (a *application) done(key access.Key) {
	if a.settled == nil {
		a.settled = map[access.Key]bool{}
	}
	a.settled[key] = true
}

// empty takes the subjects of a binding away, so that it grants nothing.
func (a *application) empty(ctx context.Context, have access.Observed) error {
	object, err := a.patch(ctx, have.Key(), nil, nil)
	if apierrors.IsNotFound(err) {
		if err = a.unlessGone(ctx, have, err); err == nil {
			a.done(have.Key())
		}
		return err
	}
	if err != nil {
		return err
	}
	return a.settle(have.Key(), object)
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
	if apierrors.IsConflict(err) && access.GrantsOthers(a.identity, have.Subjects) {
		if _, err = a.lookAgain(ctx, have, err); err == nil {
			err = problem.ErrStale
		}
	}
	if err := a.unlessGone(ctx, have, err); err != nil {
		return err
	}
	if !have.Finalizers {
		a.done(have.Key())
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
