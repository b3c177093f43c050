// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/problem"
)

// Live reads an identity as the API server has it, past the caches. It fails with ErrStale where there is none, or another one of
// the name.
func Live(ctx context.Context, live client.Reader, identity *v1alpha1.ClientIdentity) (*v1alpha1.ClientIdentity, error) {
	found := &v1alpha1.ClientIdentity{}
	err := live.Get(ctx, client.ObjectKeyFromObject(identity), found)
	switch {
	case apierrors.IsNotFound(err), err == nil && found.UID != identity.UID:
		return nil, problem.ErrStale
	case err != nil:
		return nil, fmt.Errorf("read ClientIdentity %q: %w", identity.Name, err)
	}
	return found, nil
}
