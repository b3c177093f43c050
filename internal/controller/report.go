// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// soon is when to look again where the cache was behind.
const soon = time.Second

// finishTimeout bounds a write that is not cut off.
const finishTimeout = 10 * time.Second

// finishing returns a context for a write that must not be cut off halfway: by an operator that is being stopped, which
// waits for it, or by a pass whose time is up.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
}

// report writes the status, if it changed, records events about what changed, and says when to look again.
// credentialErr and bindErr are what stands in the way of the credential and of the bindings.
func (p *pass) report(ctx context.Context, credentialErr, bindErr error) (reconcile.Result, error) {
	if errors.Is(credentialErr, errStale) || errors.Is(bindErr, errStale) || interrupted(ctx) {
		return p.reportStale(ctx)
	}
	p.status.ObservedGeneration = p.identity.Generation
	p.status.ResidualAccess = nil
	unrevoked := unrevokedUntil(&p.identity.Spec, &p.status, p.now)
	p.wakeAt(unrevoked)
	setConditions(&p.status, conditionInput{
		generation: p.identity.Generation,
		now:        p.now,
		ttl:        p.identity.Spec.TTL.Duration,
		credential: problemOf(credentialErr),
		binding:    problemOf(bindErr),
		published:  p.published,
		upToDate:   p.upToDate,
		capped:     p.capped,
		superseded: p.superseded,
		revived:    revivedUntil(&p.identity.Spec, p.identity.UID, &p.status, p.now),
		unrevoked:  unrevoked,
		bound:      p.status.BoundBindings,
		outOfTime:  p.outOfTime,
	})
	if p.quiet && credentialErr == nil && bindErr == nil {
		return p.result(nil)
	}
	if err := p.writeStatus(ctx); err != nil {
		return reconcile.Result{}, err
	}
	return p.result(credentialErr, bindErr)
}

// interrupted says whether the operator is being stopped: what failed for that tells nothing of the identity.
func interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// reportStale remembers what was done where the cache was behind in something else: a credential that was
// published and not remembered would be issued again. What it means is said by the pass that follows soon.
func (p *pass) reportStale(ctx context.Context) (reconcile.Result, error) {
	if err := p.writeStatus(ctx); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: soon}, nil
}

// reportWithdrawal reports that the access has ended, or what keeps it from ending.
func (p *pass) reportWithdrawal(ctx context.Context, reason, message string, done bool, err error) (reconcile.Result, error) {
	if errors.Is(err, errStale) || interrupted(ctx) {
		return p.reportStale(ctx)
	}
	p.status.ObservedGeneration = p.identity.Generation
	if done {
		message += ": role bindings and Secret are gone" + residualMessage(&p.status, p.identity.Spec.Username)
	}
	setWithdrawn(&p.status, p.identity.Generation, reason, message, done, problemOf(err))
	if err := p.writeStatus(ctx); err != nil {
		return reconcile.Result{}, err
	}
	return p.result(err)
}

// result says when to look again. Errors that are no problems of a known kind go back to the queue.
func (p *pass) result(errs ...error) (reconcile.Result, error) {
	var unknown []error
	for _, err := range errs {
		// One that is in the way of everything comes twice. Errors need not be comparable; their texts are.
		if err == nil || slices.ContainsFunc(unknown, func(known error) bool { return known.Error() == err.Error() }) {
			continue
		}
		if problem := asProblem(err); problem == nil {
			unknown = append(unknown, err)
		} else if problem.retry > 0 {
			// A tenth of jitter, by identity, so that many that wait for the same do not look at once.
			p.wakeAt(p.now.Add(problem.retry + problem.retry/10*time.Duration(p.identity.UID[0]%16)/16))
		}
	}
	if err := errors.Join(unknown...); err != nil {
		return reconcile.Result{}, err
	}
	if p.next.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(p.next.Sub(p.now), 100*time.Millisecond)}, nil
}

// problemOf returns what to say of an error: the problem that it is, or that the API server was not to be had.
func problemOf(err error) *problem {
	if err == nil {
		return nil
	}
	if known := asProblem(err); known != nil {
		return known
	}
	return transientProblem(v1alpha1.ReasonUnavailable, "%s", shorten(err.Error()))
}

// writeStatus patches the status where it changed. The patch names the UID, so that it never describes another
// identity of the same name, and no resourceVersion, so that a change of the spec made meanwhile does not
// keep us from remembering what was published.
func (p *pass) writeStatus(ctx context.Context) error {
	if equality.Semantic.DeepEqual(&p.identity.Status, &p.status) {
		p.unwritten.forget(p.identity.Name)
		return nil
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	before := &v1alpha1.ClientIdentity{Status: p.identity.Status}
	after := &v1alpha1.ClientIdentity{Status: p.status}
	after.UID = p.identity.UID
	patch, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return fmt.Errorf("compute the status: %w", err)
	}
	target := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: p.identity.Name}}
	err = p.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
	if apierrors.IsNotFound(err) || (apierrors.IsConflict(err) && p.identity.DeletionTimestamp != nil) {
		p.unwritten.forget(p.identity.Name)
		return nil
	}
	if err != nil {
		p.unwritten.keep(p.identity, &p.status)
		return fmt.Errorf("write the status: %w", err)
	}
	p.unwritten.forget(p.identity.Name)
	p.recordEvents()
	return nil
}
