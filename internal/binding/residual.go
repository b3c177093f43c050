// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// maxResidual bounds the bindings named in the status.
const maxResidual = 20

// ResidualAccess looks up what bindings of others still grant a holder something, live and page by page: watching all RBAC of a
// cluster for this would cost far more than it is worth. It says whether a binding of the identity itself is left, too.
func (w *Writer) ResidualAccess(
	ctx context.Context, identity *v1alpha1.ClientIdentity, who access.Holder, now time.Time,
) (residual *v1alpha1.ResidualAccess, ours bool, err error) {
	found := &v1alpha1.ResidualAccess{ObservedTime: &metav1.Time{Time: now}}
	err = w.eachBinding(ctx, func(object client.Object) {
		have := asObserved(object, identity)
		switch {
		case have.Owned || have.Orphan:
			ours = true
		case who.Among(have.Subjects):
			found.Total++
			if len(found.Bindings) < maxResidual {
				key := have.Key()
				found.Bindings = append(found.Bindings, v1alpha1.BindingReference{Kind: key.Kind(), Namespace: key.Namespace, Name: key.Name})
			}
		}
	})
	return found, ours, err
}
