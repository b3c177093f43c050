// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package statuses

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// unwritten holds statuses that the API server did not take. What they remember was done all the same: a published
// certificate that is forgotten is issued again, and a denial that is forgotten is asked again, as fast as the
// signer answers. A process that ends in between forgets them; that costs one certificate.
type unwritten struct {
	mu     sync.Mutex
	byName map[string]unwrittenStatus
}

type unwrittenStatus struct {
	uid    types.UID
	status v1alpha1.ClientIdentityStatus
}

// statusOf returns what is known of an identity: the status that could not be written, or the one that it has.
func (u *unwritten) statusOf(identity *v1alpha1.ClientIdentity) v1alpha1.ClientIdentityStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	if kept, ok := u.byName[identity.Name]; ok && kept.uid == identity.UID {
		return *kept.status.DeepCopy()
	}
	return *identity.Status.DeepCopy()
}

// keep remembers a status that could not be written.
func (u *unwritten) keep(identity *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byName == nil {
		u.byName = map[string]unwrittenStatus{}
	}
	u.byName[identity.Name] = unwrittenStatus{uid: identity.UID, status: *status.DeepCopy()}
}

// forget drops what is remembered of the identity of that name: it was written, or the identity is gone.
func (u *unwritten) forget(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byName, name)
}
