// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package look

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/problem"
)

// Doubtful says whether what differs from a spec may be the work of an operator that knows a newer one: this spec was carried out
// before, or this process has just begun, with caches that may be behind. What a new spec asks for is done without a doubt, at once.
func Doubtful(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus, first bool) bool {
	return identity.DeletionTimestamp == nil && (status.ObservedGeneration == identity.Generation || (first && status.ObservedGeneration > 0))
}

// Newest returns what fails with ErrStale where the API server has a newer spec of an identity than the cache, or none. It asks
// once, when it is first called.
func Newest(live client.Reader, identity *v1alpha1.ClientIdentity) func(context.Context) error {
	var once sync.Once
	var answer error
	return func(ctx context.Context) error {
		once.Do(func() {
			var found *v1alpha1.ClientIdentity
			found, answer = consistent.Live(ctx, live, identity)
			if answer == nil && (found.Generation != identity.Generation || (found.DeletionTimestamp != nil) != (identity.DeletionTimestamp != nil)) {
				answer = problem.ErrStale
			}
		})
		return answer
	}
}

// Unchanged fails with ErrStale where the API server has another version of an identity than the cache, or none.
func Unchanged(ctx context.Context, live client.Reader, identity *v1alpha1.ClientIdentity) error {
	found, err := consistent.Live(ctx, live, identity)
	if err == nil && found.ResourceVersion != identity.ResourceVersion {
		return problem.ErrStale
	}
	return err
}
