// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/issuance"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
	"github.com/clientidentity/operator/internal/report"
	"github.com/clientidentity/operator/internal/secret"
)

// withdrawal is the phase that takes the access of an identity away: bindings first, then the Secret and open requests.
type withdrawal struct {
	bindings *binding.Writer
	secrets  *secret.Store
	requests *issuance.Requests
}

// withdrawalOutcome is what was taken away.
type withdrawalOutcome struct {
	report.Withdrawal
	// err is what keeps the access from ending: a problem, or an error that nothing more is known of.
	err error
}

// apply takes everything away. What holds a binding or the Secret does not keep the rest.
func (w *withdrawal) apply(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, now time.Time,
) withdrawalOutcome {
	bound := w.bindings.Apply(ctx, binding.Wanted{Identity: identity}, binding.Exact)
	out := withdrawalOutcome{}
	secretErr := w.takeSecret(ctx, identity, status, &out)
	if secretErr == nil || problem.As(secretErr) != nil {
		w.requests.Forget(identity.Name)
		out.CredentialGone = true
		if err := w.requests.CloseStrays(ctx, identity); err != nil {
			secretErr = err
		}
	}
	out.Stale = bound.Stale
	out.err = cmp.Or(bound.Err, secretErr)
	if errors.Is(out.err, problem.ErrStale) {
		out.Stale, out.err = true, nil
	}
	// Done is what is seen to be gone: the watch brings the next pass.
	if out.err == nil && !out.Stale && bound.Gone {
		out.Done = true
		out.err = w.lookUpResidual(ctx, identity, &status, now, &out)
	}
	out.Problem = problem.Of(out.err)
	return out
}

func (w *withdrawal) takeSecret(ctx context.Context, identity *v1alpha1.ClientIdentity, status v1alpha1.ClientIdentityStatus, out *withdrawalOutcome) error {
	namespaceExists := false
	if ref := status.SecretRef; ref != nil {
		namespace, err := look.Namespace(ctx, w.secrets.Cached, ref.Namespace)
		if err != nil {
			return err
		}
		namespaceExists = namespace != nil
	}
	var err error
	out.SecretGone, err = w.secrets.Withdraw(ctx, identity, status.SecretRef, namespaceExists)
	return err
}

// lookUpResidual looks up what else grants the holder something: once for each generation of a withdrawn identity.
func (w *withdrawal) lookUpResidual(
	ctx context.Context, identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, now time.Time, out *withdrawalOutcome,
) error {
	if identity.DeletionTimestamp != nil || (status.ResidualAccess != nil && isWithdrawn(identity)) {
		return nil
	}
	residual, ours, err := w.bindings.ResidualAccess(ctx, identity, access.HolderOf(identity, status), now)
	if err != nil {
		return err
	}
	if ours {
		// Its labels are gone, so that no cache holds it: it goes, and the next pass looks again.
		done := w.bindings.Apply(ctx, binding.Wanted{Identity: identity, Thorough: true}, binding.Exact)
		out.Done, out.Stale = false, true
		return done.Err
	}
	out.Residual = residual
	return nil
}

// isWithdrawn says whether the status says of this very spec that access has ended.
func isWithdrawn(identity *v1alpha1.ClientIdentity) bool {
	return identity.Status.ObservedGeneration == identity.Generation && meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionWithdrawn)
}
