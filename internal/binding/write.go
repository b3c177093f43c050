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

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/problem"
)

// errTaken says that the plan has a conflict or a wait more.
var errTaken = errors.New("name is taken")

func (a *application) create(ctx context.Context, want access.Binding) effect {
	object := a.object(want)
	err := a.writer.Client.Create(ctx, object)
	if err == nil {
		done := a.settle(want.Key(), object, want.Subject)
		if done.err == nil {
			log.FromContext(ctx).Info("bound", "binding", want.Key().String(), "role", want.RoleRef.Kind+"/"+want.RoleRef.Name)
		}
		return done
	}
	if !apierrors.IsAlreadyExists(err) {
		return effect{err: err}
	}
	// The cache holds labelled objects only: see what it is.
	object = newBinding(want.Key())
	if err := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return effect{err: err}
	}
	found := asObserved(object, a.identity)
	if err := a.current(ctx); err != nil {
		return effect{found: &found, err: err}
	}
	return effect{found: &found}.then(a.correct(ctx, found, want))
}

// correct makes an object as it is wanted that the plan did not know.
func (a *application) correct(ctx context.Context, found observation, want access.Binding) effect {
	again := access.Diff([]access.Binding{want}, []access.Observed{found.Observed})
	switch {
	case len(again.Conflicts) > 0:
		return effect{conflicts: again.Conflicts, err: errTaken}
	case len(again.Waiting) > 0:
		// What it grants meanwhile matters as much as before.
		done := effect{waiting: again.Waiting}
		if len(again.Empty) > 0 {
			done = done.then(a.empty(ctx, found))
		}
		if len(again.Update) > 0 && done.err == nil {
			done = done.then(a.update(ctx, found, want))
		}
		return done.failed(cmp.Or(done.err, errTaken))
	case len(again.Update) > 0:
		return a.update(ctx, found, want)
	case len(again.Replace) > 0:
		done := a.remove(ctx, found)
		if done.err != nil {
			return done
		}
		made := a.object(want)
		if err := a.writer.Client.Create(ctx, made); err != nil {
			return done.failed(err)
		}
		return done.then(a.settle(want.Key(), made, want.Subject))
	}
	return effect{}
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
func (a *application) update(ctx context.Context, have observation, want access.Binding) effect {
	done, wanted := effect{}, []rbacv1.Subject{want.Subject}
	urgent := access.GrantsOthers(a.identity, have.Subjects)
	object, err := a.patch(ctx, have, dependent.Labels(a.identity), wanted)
	if urgent && apierrors.IsConflict(err) {
		// A revocation does not wait for the cache, nor take admission's word for it that somebody changed the binding.
		if have, err = a.lookAgain(ctx, have, err); err == nil {
			done.found = &have
			object, err = a.patch(ctx, have, dependent.Labels(a.identity), wanted)
		}
	}
	if err == nil {
		done = done.then(a.settle(have.Key(), object, wanted...))
		err = done.err
	}
	if err == nil {
		log.FromContext(ctx).Info("corrected", "binding", have.Key().String())
		return done
	}
	if (urgent && answered(err)) || ((mayNotBind(want.RoleRef, err) || apierrors.IsInvalid(err)) && !slices.Equal(have.Subjects, wanted)) {
		done = done.then(a.remove(ctx, done.latest(have)))
		return done.failed(errors.Join(done.err, err))
	}
	return done.failed(err)
}

// answered says whether the API server, or its admission, decided against a write, whatever it said.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// lookAgain reads a binding live after a conflict, and returns it as it is. It fails with what to say of a conflict that is
// none, and with ErrStale where another object is in its place, or where whoever changed it knows a newer identity; what it
// returns then is what was there before.
func (a *application) lookAgain(ctx context.Context, have observation, conflict error) (observation, error) {
	object := newBinding(have.Key())
	if err := a.writer.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return have, err
	}
	found := asObserved(object, a.identity)
	switch {
	case found.UID != have.UID || (!found.Owned && !found.Orphan):
		return have, problem.ErrStale
	case found.ResourceVersion == have.ResourceVersion:
		return have, apierrors.NewForbidden(rbacv1.Resource(have.Key().Kind()), have.Name, conflict)
	}
	// After the binding: whoever carries out a newer spec from now on changes it, and the next write is a conflict, too.
	if err := a.current(ctx); err != nil {
		return have, err
	}
	return found, nil
}

// settle is the effect of a write that was answered with an object that has those subjects, and maybe not the labels that it
// was given. It fails where the answer has other subjects: admission may change them, and say that all is well.
func (a *application) settle(key access.Key, object client.Object, subjects ...rbacv1.Subject) effect {
	found := asObserved(object, a.identity)
	if !slices.Equal(found.Subjects, subjects) {
		return effect{found: &found, err: apierrors.NewForbidden(rbacv1.Resource(key.Kind()), key.Name, errors.New("admission of the cluster changes the subjects"))}
	}
	return effect{found: &found, settled: true, altered: len(subjects) > 0 && !dependent.Labelled(object, a.identity)}
}

// empty takes the subjects of a binding away, so that it grants nothing.
func (a *application) empty(ctx context.Context, have observation) effect {
	object, err := a.patch(ctx, have, nil, nil)
	if apierrors.IsNotFound(err) {
		err = a.unlessGone(ctx, have, err)
		return effect{settled: err == nil, err: err}
	}
	if err != nil {
		return effect{err: err}
	}
	return a.settle(have.Key(), object)
}

// patch sets labels and subjects of a binding, the one that was seen and only that, and returns it as it is then.
// What others set on it stays: the cache does not even keep it.
func (a *application) patch(ctx context.Context, have observation, labels map[string]string, subjects []rbacv1.Subject) (client.Object, error) {
	object, ok := have.object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s is no object", have.Key())
	}
	meta := map[string]any{"uid": object.GetUID(), "resourceVersion": object.GetResourceVersion()}
	if labels != nil {
		meta["labels"] = labels // null would take all of them away
	}
	data, err := json.Marshal(map[string]any{"metadata": meta, "subjects": subjects})
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", have.Key(), err)
	}
	return object, a.writer.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, data))
}

// remove deletes a binding, the one that was seen and only that. Where a finalizer would keep it, its subjects
// go first: a binding that is being deleted still grants.
func (a *application) remove(ctx context.Context, have observation) effect {
	done := effect{}
	if have.EmptyFirst() {
		// Emptying takes the right to bind the role, and an update that admission lets pass; deleting does not.
		if done = a.empty(ctx, have); done.err != nil && !answered(done.err) {
			return done
		}
	}
	latest := done.latest(have)
	uid, version := latest.UID, latest.ResourceVersion
	err := a.writer.Client.Delete(ctx, latest.object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if apierrors.IsConflict(err) && access.GrantsOthers(a.identity, have.Subjects) {
		var found observation
		if found, err = a.lookAgain(ctx, latest, err); err == nil {
			done.found, err = &found, problem.ErrStale
		}
	}
	if err := a.unlessGone(ctx, have, err); err != nil {
		return done.failed(err)
	}
	done.settled = done.settled || !have.Finalizers
	log.FromContext(ctx).Info("unbound", "binding", have.Key().String())
	return done.failed(nil)
}

// unlessGone returns nil for a write that was answered with Not Found where the object is gone indeed.
func (a *application) unlessGone(ctx context.Context, have observation, err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	gone, liveErr := consistent.Gone(ctx, a.writer.Live, newBinding(have.Key()), client.ObjectKey{Namespace: have.Namespace, Name: have.Name}, have.UID)
	if gone || liveErr != nil {
		return liveErr
	}
	return apierrors.NewForbidden(rbacv1.Resource(have.Key().Kind()), have.Name, err)
}
