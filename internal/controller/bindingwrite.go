// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;clusterrolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;clusterroles,verbs=bind

// bindingWriter carries out a plan and notes what could not be done.
type bindingWriter struct {
	*pass
	observed observedBindings
	plan     access.Plan
	// refused are the words of the API server where it did not allow a write.
	refused []refusal
	err     error
	// written and left count the writes that were made, and those that there was no time for.
	written, left int
}

// bindingTime bounds the writes of bindings in one pass. A selector may ask for thousands: the rest is written by the
// next pass, and the credential waits for none of them.
const bindingTime = 30 * time.Second

type refusal struct {
	key  access.Key
	role rbacv1.RoleRef
	err  error
}

// String names the role, which the API server does not.
func (r refusal) String() string {
	return fmt.Sprintf("%s for %s %q: %v", r.key, r.role.Kind, r.role.Name, r.err)
}

func (w *bindingWriter) apply(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, bindingTime)
	defer cancel()
	for _, have := range w.plan.Empty {
		_ = w.inTime(ctx) && w.note(have.Key(), have.RoleRef, w.empty(ctx, have))
	}
	for _, change := range w.plan.Update {
		if w.inTime(ctx) && w.note(change.Have.Key(), change.Want.RoleRef, w.update(ctx, change)) && !change.Have.Deleting {
			w.plan.Bound++
		}
	}
	for _, want := range w.plan.Create {
		if w.inTime(ctx) && w.note(want.Key(), want.RoleRef, w.create(ctx, want)) {
			w.plan.Bound++
		}
	}
	for _, change := range w.plan.Replace {
		key, role := change.Have.Key(), change.Want.RoleRef
		if w.inTime(ctx) && w.note(key, role, w.remove(ctx, change.Have)) && w.note(key, role, w.create(ctx, change.Want)) {
			w.plan.Bound++
		}
	}
	for _, have := range w.plan.Delete {
		_ = w.inTime(ctx) && w.note(have.Key(), have.RoleRef, w.remove(ctx, have))
	}
}

// inTime says whether there is time for another write, and counts those that there is none for.
func (w *bindingWriter) inTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		w.left++
		return false
	}
	return true
}

// note keeps an error, and says whether there was none. A conflict is nobody's fault: the watch brings
// what was changed, and with it another pass.
func (w *bindingWriter) note(key access.Key, role rbacv1.RoleRef, err error) bool {
	switch {
	case err == nil:
		w.written++
		return true
	case errors.Is(err, errTaken):
	case errors.Is(err, context.DeadlineExceeded) && w.written > 0:
		w.left++
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		w.err = errStale
	case mayNotBind(role, err), apierrors.IsInvalid(err):
		w.refused = append(w.refused, refusal{key, role, err})
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		w.err = errStale
	default:
		w.err = fmt.Errorf("write %s: %w", key, err)
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

func (w *bindingWriter) create(ctx context.Context, want access.Binding) error {
	err := w.Create(ctx, w.wanted(want))
	if err == nil {
		log.FromContext(ctx).Info("bound", "binding", want.Key().String(), "role", want.RoleRef.Kind+"/"+want.RoleRef.Name)
	}
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	// The cache holds labelled objects only: see what it is.
	object := newBinding(want.Key())
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	found := w.asObserved(object)
	found.unlabelled = object.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue
	w.observed[want.Key()] = found
	again := access.Diff([]access.Binding{want}, []access.Observed{found.Observed})
	switch {
	case len(again.Conflicts) > 0:
		w.plan.Conflicts = append(w.plan.Conflicts, again.Conflicts...)
		return errTaken
	case len(again.Waiting) > 0:
		w.plan.Waiting = append(w.plan.Waiting, again.Waiting...)
		// What it grants meanwhile matters as much as before.
		for _, have := range again.Empty {
			if err := w.empty(ctx, have); err != nil {
				return err
			}
		}
		for _, change := range again.Update {
			if err := w.update(ctx, change); err != nil {
				return err
			}
		}
		return errTaken
	case len(again.Update) > 0:
		return w.update(ctx, again.Update[0])
	case len(again.Replace) > 0:
		if err := w.remove(ctx, again.Replace[0].Have); err != nil {
			return err
		}
		return w.Create(ctx, w.wanted(want))
	}
	return nil
}

// wanted returns the object for a binding.
func (w *bindingWriter) wanted(want access.Binding) client.Object {
	meta := w.dependentMeta(client.ObjectKey{Namespace: want.Namespace, Name: want.Name})
	subjects := []rbacv1.Subject{want.Subject}
	if want.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: want.RoleRef, Subjects: subjects}
	}
	return &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: want.RoleRef, Subjects: subjects}
}

// update makes an object of ours as it should be. Labels and annotations of others stay. Where the API server refuses
// that, as it does once the operator may not bind the role any more, a binding that grants others something goes:
// a revoked credential or an added subject would keep it.
func (w *bindingWriter) update(ctx context.Context, change access.Change) error {
	_, err := w.patch(ctx, w.Client, change.Have.Key(), map[string]string{
		v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: w.identity.Name,
	}, []rbacv1.Subject{change.Want.Subject})
	if mayNotBind(change.Want.RoleRef, err) && !slices.Equal(change.Have.Subjects, []rbacv1.Subject{change.Want.Subject}) {
		return errors.Join(w.remove(ctx, change.Have), err)
	}
	if err == nil {
		log.FromContext(ctx).Info("corrected", "binding", change.Have.Key().String())
	}
	return err
}

// empty takes the subjects of a binding away, so that it grants nothing.
func (w *bindingWriter) empty(ctx context.Context, have access.Observed) error {
	object, err := w.patch(ctx, w.writer(have.Key()), have.Key(), nil, nil)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	found := w.observed[have.Key()]
	found.object, found.ResourceVersion = object, object.GetResourceVersion()
	w.observed[have.Key()] = found
	return nil
}

// patch sets labels and subjects of a binding, the one that was seen and only that, and returns it as it is then.
// What others set on it stays: the cache does not even keep it.
func (w *bindingWriter) patch(
	ctx context.Context, writer client.Client, key access.Key, labels map[string]string, subjects []rbacv1.Subject,
) (client.Object, error) {
	object, ok := w.observed[key].object.DeepCopyObject().(client.Object)
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
	return object, writer.Patch(ctx, object, client.RawPatch(types.MergePatchType, data))
}

// remove deletes a binding, the one that was seen and only that. Where a finalizer would keep it, its subjects
// go first: a binding that is being deleted still grants.
func (w *bindingWriter) remove(ctx context.Context, have access.Observed) error {
	if have.EmptyFirst() {
		// Emptying takes the right to bind the role; deleting does not.
		if err := w.empty(ctx, have); err != nil && !apierrors.IsForbidden(err) {
			return err
		}
	}
	object := w.observed[have.Key()].object
	uid, version := object.GetUID(), object.GetResourceVersion()
	err := w.writer(have.Key()).Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if err == nil {
		log.FromContext(ctx).Info("unbound", "binding", have.Key().String())
	}
	return client.IgnoreNotFound(err)
}

// writer returns the client to change a binding with that stays without our labels: the cache never sees that
// change, so reads that wait for it would wait for ever.
func (w *bindingWriter) writer(key access.Key) client.Client {
	if w.observed[key].unlabelled {
		return w.Live
	}
	return w.Client
}

// problem returns what stands in the way of the wanted bindings, the most telling first.
func (w *bindingWriter) problem(missing []access.Gap) error {
	switch {
	case w.err != nil:
		return w.err
	case w.left > 0:
		return waitingProblem(v1alpha1.ReasonPending, soon, "role bindings that are still to be written: %d", w.left)
	case len(w.plan.Conflicts) > 0:
		return waitingProblem(v1alpha1.ReasonBindingConflict, w.Options.SlowLook, "%s", access.Message(w.plan.Conflicts))
	case len(w.refused) > 0:
		return stalledProblem(v1alpha1.ReasonBindingForbidden,
			"the API server does not let the operator make a binding: choose another role, or grant the operator bind on it: %s",
			shorten(access.Message(w.refused))).again(w.Options.SlowLook)
	case len(missing) > 0:
		return waitingProblem(v1alpha1.ReasonNamespaceMissing, 0, "%s", access.Message(missing))
	case len(w.plan.Waiting) > 0:
		// One without our labels is watched by nobody.
		return waitingProblem(v1alpha1.ReasonBindingTerminating, w.Options.SlowLook, "%s", access.Message(w.plan.Waiting))
	case len(w.plan.Leaving) > 0 || len(w.plan.Empty) > 0:
		return waitingProblem(v1alpha1.ReasonBindingTerminating, 0, "bindings that are not wanted any more still exist, without subjects, so that they grant nothing: %s",
			access.Message(slices.Concat(w.plan.Leaving, w.plan.Empty)))
	}
	return nil
}
