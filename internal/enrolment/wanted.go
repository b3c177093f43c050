// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package enrolment

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/timing"
)

// Kind is the kind of the objects in this room.
const Kind = "ServiceAccount"

// Wanted is the ServiceAccount that an identity is to have.
type Wanted struct {
	Identity *v1alpha1.ClientIdentity
	// Namespace is that of the Secret.
	Namespace string
	// Accepted is how many invitations were accepted.
	Accepted int
	// Make says that one may be made; otherwise one is only taken away.
	Make bool
}

// outdated says why the ServiceAccount that the status speaks of is to go, or that there is none; empty where it stays. Known is nil where
// there is none of the identity's.
func (w Wanted) outdated(ref *v1alpha1.EnrolmentReference, known *metav1.PartialObjectMetadata) string {
	switch {
	case ref == nil || known == nil:
		return "there is none that the status speaks of"
	case known.DeletionTimestamp != nil:
		return "it is being deleted"
	case ref.Namespace != w.Namespace:
		return "the Secret is in another namespace"
	case access.RevokedSince(&w.Identity.Spec, timing.Of(ref.RevokeIssuedBefore)):
		return "revokeIssuedBefore was changed"
	case w.Accepted >= holder.MaxInvitations: // no token of this one is accepted any more then, so that none is to be remembered
		return "the status has no room for more accepted invitations"
	}
	return ""
}
