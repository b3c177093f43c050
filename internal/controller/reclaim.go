// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/binding"
	"github.com/clientidentity/operator/internal/look"
	"github.com/clientidentity/operator/internal/problem"
)

// reclaim holds back the key that the operator makes again until nobody reads the Secret any more who did while holders made the
// keys: their bindings are seen to be gone, and API servers had the time to learn of it.
func (b *bindings) reclaim(ctx context.Context, l look.Look, wanted *binding.Reader, outcome *bindingsOutcome) {
	gone := false
	if l.Reclaimed() {
		left, err := b.writer.ReadersLeft(ctx, l.Identity, l.Target.Place.Namespace, wanted)
		switch gone = err == nil && len(left) == 0; {
		case err != nil:
			outcome.readers = problem.NewWaiting(v1alpha1.ReasonSecretReadable, time.Second, "it is not known yet whether devices may still read the Secret: %v", err)
		case !gone:
			outcome.readers = problem.NewWaiting(v1alpha1.ReasonSecretReadable, time.Second,
				"no key is published while devices or invitations may still read the Secret, by %s: if it stays, delete it, and remove its finalizers", names(left))
		}
	}
	if from := b.lag.Reclaimed(l, gone); from.After(outcome.publishFrom) {
		outcome.publishFrom = from
	}
}

// names returns what is left, for a message.
func names[K fmt.Stringer](left []K) string {
	var all []string
	for _, key := range left {
		all = append(all, key.String())
	}
	return strings.Join(all, " and ")
}
