// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/dependent"
)

// sweep is one look, when a process begins, at all bindings of the cluster for those of identities that lost their labels: no
// watch tells of them. While it runs, the watches tell of each that loses them.
type sweep struct {
	mu   sync.Mutex
	done bool
	// lost are the keys of what was found, by the UID of the identity.
	lost map[types.UID][]access.Key
}

const (
	// maxLost bounds what is remembered in all: others may write any number in the guise of identities.
	maxLost = 10_000
	// maxUID and maxName bound, in bytes, what can be of an identity: a UUID, and the name of a binding.
	maxUID, maxName = 36, 253
)

// sweep returns the keys of an identity's bindings that had no labels when the process began.
func (w *Writer) sweep(ctx context.Context, identity types.UID) ([]access.Key, error) {
	w.start.mu.Lock()
	defer w.start.mu.Unlock()
	if w.start.done {
		return w.start.lost[identity], nil
	}
	lost, total := map[types.UID][]access.Key{}, 0
	err := w.eachBinding(ctx, func(object client.Object) {
		owner := metav1.GetControllerOf(object)
		if owner == nil || !dependent.IsIdentity(owner) || object.GetLabels()[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue {
			return
		}
		if total < maxLost && len(owner.UID) <= maxUID && len(object.GetName()) <= maxName {
			total++
			lost[owner.UID] = append(lost[owner.UID], access.Key{Namespace: object.GetNamespace(), Name: object.GetName()})
		}
	})
	if err != nil {
		return nil, err
	}
	w.start.done, w.start.lost = true, lost
	return lost[identity], nil
}
