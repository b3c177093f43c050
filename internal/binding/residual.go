// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// maxResidual bounds the bindings named in the status.
const maxResidual = 20

// AskResidual leaves the question of ResidualAccess for the next look, where a pass is about to end that has taken everything away.
func (w *Writer) AskResidual(identity *v1alpha1.ClientIdentity, who access.Holder) {
	w.survey.leave(&inquiry{identity: identity, holder: &who})
}

// ResidualAccess says what bindings of others still grant a holder something, once a look past the caches has told that; nil while none
// has, and where it has found bindings of the identity itself, whose labels are gone, so that no cache holds them. Those are
// taken away: done is what came of that, and its Waits says that a look is awaited.
func (w *Writer) ResidualAccess(ctx context.Context, want Wanted, who access.Holder) (residual *v1alpha1.ResidualAccess, done Outcome) {
	found, err := w.survey.ask(ctx, &inquiry{identity: want.Identity, holder: &who})
	switch {
	case err != nil:
		return nil, Outcome{Err: err, Unknown: true}
	case found == nil:
		return nil, Outcome{Waits: true}
	case !found.ours:
		return found.residual(), Outcome{}
	}
	if err := w.stillThere(ctx, want.Identity, found.found); err != nil {
		return nil, Outcome{Err: err, Unknown: true}
	}
	done = w.carryOut(ctx, want, nil, Exact, found.found, true, nil)
	done.Stale = true // the next pass looks again
	return nil, done
}
