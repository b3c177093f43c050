// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package consistent

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Gone says whether an object is gone, where a write of it was answered with Not Found: admission answers with any code that
// it likes. It reads live into an object of the kind; another one in its place, with another UID than the one that was written,
// counts as gone.
func Gone(ctx context.Context, live client.Reader, object client.Object, key client.ObjectKey, uid types.UID) (bool, error) {
	switch err := live.Get(ctx, key, object); {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("see whether it is gone: %w", err)
	}
	return object.GetUID() != uid, nil
}
