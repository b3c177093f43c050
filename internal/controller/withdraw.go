// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// accessEnd returns why the identity has no access, or "". A deletion timestamp is one of the reasons:
// repairing dependents would fight the garbage collector in a foreground deletion, and somebody else's
// finalizer would keep the access alive.
func (p *pass) accessEnd() (reason, message string) {
	spec := &p.identity.Spec
	switch {
	case p.identity.DeletionTimestamp != nil:
		return v1alpha1.ReasonDeleting, "the identity is being deleted"
	case spec.State == v1alpha1.StateWithdrawn:
		return v1alpha1.ReasonWithdrawnByState, "spec.state is Withdrawn"
	case spec.AccessUntil != nil && !p.now.Before(spec.AccessUntil.Time):
		return v1alpha1.ReasonAccessEnded, fmt.Sprintf("spec.accessUntil (%s) has passed", stamp(spec.AccessUntil.Time))
	case spec.AccessUntil != nil:
		p.wakeAt(spec.AccessUntil.Time)
	}
	return "", ""
}

// withdraw takes the access away: bindings first, then the Secret and open requests. It says whether
// nothing is left.
func (p *pass) withdraw(ctx context.Context) (bool, error) {
	observed, err := p.observeBindings(ctx, nil)
	if err != nil {
		return false, err
	}
	w := bindingWriter{pass: p, observed: observed, plan: access.Diff(nil, observed.all())}
	w.apply(ctx)
	p.status.BoundBindings = 0
	bindingProblem := cmp.Or(w.problem(nil), p.applyReader(ctx, nil))
	// What holds a binding or the Secret does not keep the rest.
	secretErr := p.withdrawSecret(ctx)
	if secretErr != nil && asProblem(secretErr) == nil {
		return false, secretErr
	}
	p.pending.forget(p.identity.Name)
	if err := p.closeStrays(ctx); err != nil {
		return false, err
	}
	p.status.Certificate, p.status.Issuance, p.status.Server = nil, nil, nil
	for i := range p.status.Certificates {
		p.status.Certificates[i].Withdrawn = true
	}
	if err := cmp.Or(bindingProblem, secretErr); err != nil {
		return false, err
	}
	// Done is what is seen to be gone: the watch brings the next pass.
	if !w.plan.Gone() {
		return false, nil
	}
	return true, p.observeResidualAccess(ctx)
}

// withdrawSecret deletes the published Secret, also where somebody took our labels off it, and every other one of
// this identity. It returns a problem while somebody's finalizer keeps one.
func (p *pass) withdrawSecret(ctx context.Context) error {
	if p.status.SecretRef != nil {
		live, err := p.liveSecret(ctx)
		if err != nil {
			return err
		}
		if live != nil {
			if err := p.deleteSecret(ctx, live); err != nil {
				return err
			}
			if len(live.Finalizers) > 0 {
				return p.secretHeld(live)
			}
		} else if err := p.secretBeyondReach(ctx); err != nil {
			return err
		}
		p.status.SecretRef = nil
	}
	if err := p.removeStraySecrets(ctx); err != nil {
		return err
	}
	strays, err := p.ownSecrets(ctx)
	if err != nil {
		return err
	}
	for i := range strays {
		if len(strays[i].Finalizers) > 0 {
			return p.secretHeld(&strays[i])
		}
	}
	return nil
}

// secretBeyondReach returns a problem where the published Secret is in a namespace that the operator may not look into
// any more: nobody knows whether it is gone.
func (p *pass) secretBeyondReach(ctx context.Context) error {
	ref := p.status.SecretRef
	if p.Options.mayPublishIn(ref.Namespace) {
		return nil
	}
	if namespace, err := p.namespace(ctx, ref.Namespace); err != nil || namespace == nil {
		return err
	}
	if err := p.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, newSecretMetadata()); !apierrors.IsForbidden(err) {
		return nil
	}
	return waitingProblem(v1alpha1.ReasonWithdrawing, p.Options.SlowLook,
		"the operator has no rights in namespace %q any more: see that secret %q is gone, and grant it get on Secrets there until this is done", ref.Namespace, ref.Name)
}

func (p *pass) secretHeld(secret metav1.Object) error {
	return waitingProblem(v1alpha1.ReasonWithdrawing, p.Options.SlowLook,
		"secret \"%s/%s\" is being deleted but has finalizers: remove them", secret.GetNamespace(), secret.GetName())
}

// timeOf returns the time in t, or nil.
func timeOf(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}
