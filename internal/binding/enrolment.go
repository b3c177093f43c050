// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// Names, within an identity, of the bindings that let the holder and invitations make requests.
const (
	requesterName        = "requester:"
	accountRequesterName = "invitation-requester:"
)

// holderSource is the field of the spec that the bindings of holders and invitations come from.
const holderSource = "privateKey.source"

// Requesters returns the bindings that let the holder make and get CertificateSigningRequests and, where it is not nil, the
// ServiceAccount of invitations. Group is the credential's; where it is empty, the binding names the user.
func Requesters(identity *v1alpha1.ClientIdentity, group string, account *client.ObjectKey) []access.Binding {
	roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.HolderClusterRole}
	bind := func(name string, subject rbacv1.Subject) access.Binding {
		return access.Binding{Name: access.BindingName(identity.Name, name, roleRef), SpecName: holderSource, RoleRef: roleRef, Subject: subject}
	}
	bindings := []access.Binding{bind(requesterName, holderSubject(identity, group))}
	if account != nil {
		bindings = append(bindings, bind(accountRequesterName, accountSubject(*account)))
	}
	return bindings
}

func holderSubject(identity *v1alpha1.ClientIdentity, group string) rbacv1.Subject {
	if group == "" {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: identity.Spec.Username}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}
}

func accountSubject(account client.ObjectKey) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}
}

// ReadersLeft returns the bindings in a namespace, whoever owns them by now, that let holders or invitations read an identity's
// Secret there and are not as a Reader has them (nil = none). It looks past the caches: a key is published when there are none.
func (w *Writer) ReadersLeft(ctx context.Context, identity *v1alpha1.ClientIdentity, namespace string, wanted *Reader) ([]access.Key, error) {
	var left []access.Key
	for _, b := range NewReader(identity, client.ObjectKey{Namespace: namespace}, "", &client.ObjectKey{}).bindings {
		found := &rbacv1.RoleBinding{}
		err := w.Live.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Name}, found)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", b.Key(), err)
		}
		if !wanted.lets(b.Key(), found.Subjects) {
			left = append(left, b.Key())
		}
	}
	return left, nil
}

// lets says whether a binding of the Reader lets exactly those subjects read.
func (r *Reader) lets(key access.Key, subjects []rbacv1.Subject) bool {
	return r != nil && slices.ContainsFunc(r.bindings, func(b access.Binding) bool {
		return b.Key() == key && len(subjects) == 1 && subjects[0] == b.Subject
	})
}
