// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Holder is whom a binding may grant something: the user and the groups that its valid certificates carry.
type Holder struct {
	username string
	groups   sets.Set[string]
}

// HolderOf returns the holder of an identity's certificates, of which the status tells.
func HolderOf(id *v1alpha1.ClientIdentity, status *v1alpha1.ClientIdentityStatus) Holder {
	h := Holder{username: id.Spec.Username, groups: sets.New(id.Spec.Groups...)}
	for i := range status.Certificates {
		h.groups.Insert(status.Certificates[i].Groups...)
	}
	if status.OtherCertificates != nil {
		h.groups.Insert(status.OtherCertificates.Groups...)
	}
	return h
}

// Username returns the user.
func (h Holder) Username() string { return h.username }

// Groups are the groups, in no order.
func (h Holder) Groups() sets.Set[string] { return h.groups }

// Equal says whether two holders are the same user with the same groups.
func (h Holder) Equal(other Holder) bool {
	return h.username == other.username && h.groups.Equal(other.groups)
}

// Among says whether one of the subjects is the user or one of its groups.
func (h Holder) Among(subjects []rbacv1.Subject) bool {
	for _, s := range subjects {
		if (s.Kind == rbacv1.UserKind && s.Name == h.username) || (s.Kind == rbacv1.GroupKind && h.groups.Has(s.Name)) {
			return true
		}
	}
	return false
}
