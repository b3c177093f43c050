// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/enrolment"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/internal/statuses"
)

// withdrawal is the phase that takes the access of an identity away: bindings first, then the ServiceAccount of invitations, the Secret
// and open requests.
type withdrawal struct {
	bindings *binding.Writer
	// live reads identities past the cache.
	live     client.Reader
	secrets  *secret.Store
	requests *issuance.Requests
	accounts *enrolment.Accounts
	// reach says how far a withdrawal reaches; empty while that is not known.
	reach func() v1alpha1.RevocationReach
}

// withdrawalOutcome is what was taken away.
type withdrawalOutcome struct {
	report.Withdrawal
	// err is what keeps the access from ending: a problem, or an error that nothing more is known of.
	err   error
	stale bool
	// next is when to look again at the latest; zero where a watch tells.
	next time.Time
}

// apply takes everything away, unless that is in doubt and the API server has a newer spec. What holds a binding or the Secret
// does not keep the rest.
func (w *withdrawal) apply(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, ending access.Ending, inDoubt bool, now time.Time,
) withdrawalOutcome {
	confirm := look.Newest(w.live, identity)
	bound := w.bindings.Apply(ctx, binding.Wanted{Identity: identity, Current: confirm, Doubtful: inDoubt}, binding.Exact)
	if !inDoubt {
		confirm = func(context.Context) error { return nil }
	}
	accountErr := w.accounts.Remove(ctx, identity, status.EnrolmentRef, confirm)
	secretGone, secretErr := w.takeSecret(ctx, identity, status, confirm)
	credentialGone := secretErr == nil || problem.As(secretErr) != nil
	if credentialGone {
		w.requests.Forget(identity.Name)
		if err := w.requests.CloseStrays(ctx, identity); err != nil {
			secretErr = err
		}
	}
	err, stale := problem.Join(bound.Err, accountErr, secretErr), bound.Stale
	// Done is what is seen to be gone: the watch brings the next pass.
	done := err == nil && !stale && bound.Gone && !bound.Waits
	var residual *v1alpha1.ResidualAccess
	var next time.Time
	// An identity has one question open: that of what lost its labels comes first, and no other one takes its place.
	waits := bound.Waits
	if unknown := w.residualUnknown(identity, &status); unknown && !done && err == nil && !waits {
		w.bindings.AskResidual(identity, access.HolderOf(identity, &status)) // it may be known by then
	} else if unknown && done {
		var looked binding.Outcome
		want := binding.Wanted{Identity: identity, Current: look.Newest(w.live, identity)}
		residual, looked = w.bindings.ResidualAccess(ctx, want, access.HolderOf(identity, &status))
		done, stale, waits, err = residual != nil, looked.Stale, looked.Waits, looked.Err
	}
	if waits {
		next = now.Add(longestLook)
	}
	if errors.Is(err, problem.ErrStale) {
		err, stale = nil, true
	}
	return withdrawalOutcome{
		Withdrawal: report.Withdrawal{
			Identity: identity, Before: status, Now: now, Ending: ending, Stale: stale || waits || statuses.Interrupted(ctx),
			SecretGone: secretGone, CredentialGone: credentialGone, EnrolmentGone: accountErr == nil || problem.As(accountErr) != nil, Done: done, Residual: residual, Problem: problem.Of(err),
			Reach: w.reach(),
		},
		err: err, stale: stale, next: next,
	}
}

// takeSecret deletes the Secret, where that is confirmed, and says whether the published one is gone.
func (w *withdrawal) takeSecret(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, confirm func(context.Context) error,
) (bool, error) {
	left, err := w.secrets.Any(ctx, identity, status.SecretRef)
	if err == nil && left {
		err = confirm(ctx)
	}
	if err != nil {
		return false, err
	}
	namespaceExists := false
	if ref := status.SecretRef; ref != nil {
		namespace, err := look.Namespace(ctx, w.secrets.Cached, ref.Namespace)
		if err != nil {
			return false, err
		}
		namespaceExists = namespace != nil
	}
	return w.secrets.Withdraw(ctx, identity, status.SecretRef, namespaceExists)
}

// residualUnknown says whether it is to be looked up what else grants the holder something: once for each generation of a withdrawn
// identity.
func (w *withdrawal) residualUnknown(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus) bool {
	return identity.DeletionTimestamp == nil && (status.ResidualAccess == nil || !isWithdrawn(identity))
}

// isWithdrawn says whether the status says of this very spec that access has ended.
func isWithdrawn(identity *v1alpha1.ClientIdentity) bool {
	return identity.Status.ObservedGeneration == identity.Generation && meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionWithdrawn)
}
