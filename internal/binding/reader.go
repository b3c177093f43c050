// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/consistent"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/problem"
)

// readerName is the name, within an identity, of the binding that lets the holder read the Secret. No binding of
// the spec has it: theirs are DNS labels.
const readerName = "secret-reader:"

// isReader says whether that is the name of a binding that lets a holder read.
func isReader(name string) bool { return strings.Contains(name, ":"+readerName+":") }

// Reader lets the holder of a credential read the Secret that it is published in. A Role's name is no secret: what it grants
// is held by the credential's group alone.
type Reader struct {
	role    *rbacv1.Role
	binding access.Binding
}

// NewReader returns the Role and the binding that let a group read an identity's Secret.
func NewReader(identity *v1alpha1.ClientIdentity, secret client.ObjectKey, group string) *Reader {
	role := &rbacv1.Role{
		ObjectMeta: dependent.Meta(identity, client.ObjectKey{Namespace: secret.Namespace, Name: "clientidentity:" + identity.Name + ":" + readerName}),
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secret.Name}, Verbs: []string{"get"},
		}},
	}
	roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}
	return &Reader{role: role, binding: access.Binding{
		Namespace: secret.Namespace,
		Name:      access.BindingName(identity.Name, readerName, roleRef),
		SpecName:  "secret.holderCanRead",
		RoleRef:   roleRef,
		Subject:   rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group},
	}}
}

// applyRole makes the Role as it should be, unless nobody may be given anything, and removes Roles of the identity that are
// not wanted (any more), and those that were restored from a backup of it.
func (w *Writer) applyRole(ctx context.Context, wanted Wanted, mode Mode) error {
	var want *rbacv1.Role
	if wanted.Reader != nil {
		want = wanted.Reader.role
	}
	for _, owner := range dependent.Keys(wanted.Identity) {
		var owned rbacv1.RoleList
		if err := w.Client.List(ctx, &owned, client.MatchingFields{dependent.IndexOwner: owner}); err != nil {
			return fmt.Errorf("list Roles: %w", err)
		}
		for i := range owned.Items {
			role := &owned.Items[i]
			if want != nil && role.Namespace == want.Namespace && role.Name == want.Name && !dependent.Orphaned(role, wanted.Identity) {
				continue
			}
			if err := w.removeRole(ctx, role); err != nil {
				return err
			}
		}
	}
	if want == nil || mode == Narrowing {
		return nil
	}
	have := &rbacv1.Role{}
	err := w.Client.Get(ctx, client.ObjectKeyFromObject(want), have)
	if apierrors.IsNotFound(err) {
		if err = w.Client.Create(ctx, want.DeepCopy()); err == nil {
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return w.roleRefused(want, err)
		}
		err = w.Live.Get(ctx, client.ObjectKeyFromObject(want), have)
	}
	if err != nil {
		return fmt.Errorf("read Role %s/%s: %w", want.Namespace, want.Name, err)
	}
	return w.correctRole(ctx, wanted.Identity, want, have)
}

// removeRole deletes the Role that was seen, and only that.
func (w *Writer) removeRole(ctx context.Context, role *rbacv1.Role) error {
	uid, version := role.UID, role.ResourceVersion
	err := w.Client.Delete(ctx, role, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if apierrors.IsConflict(err) {
		return problem.ErrStale
	}
	if apierrors.IsNotFound(err) {
		if gone, liveErr := consistent.Gone(ctx, w.Live, &rbacv1.Role{}, client.ObjectKeyFromObject(role), uid); gone || liveErr != nil {
			err = liveErr
		}
	}
	if err != nil {
		return fmt.Errorf("delete Role %s/%s: %w", role.Namespace, role.Name, err)
	}
	return nil
}

// correctRole updates a Role of ours, and leaves one of others alone.
func (w *Writer) correctRole(ctx context.Context, identity *v1alpha1.ClientIdentity, want, have *rbacv1.Role) error {
	if !metav1.IsControlledBy(have, identity) {
		return problem.NewWaiting(v1alpha1.ReasonBindingConflict, w.SlowLook,
			"Role \"%s/%s\" exists and is not owned by this ClientIdentity: delete it, so that the holder can read the Secret", want.Namespace, want.Name)
	}
	if equality.Semantic.DeepEqual(have.Rules, want.Rules) && dependent.Labelled(have, identity) {
		return nil
	}
	// The cache keeps little of it, and what others wrote stays.
	changed := &rbacv1.Role{}
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(want), changed); err != nil || changed.UID != have.UID {
		return cmp.Or(client.IgnoreNotFound(err), problem.ErrStale)
	}
	changed.Rules = want.Rules
	if changed.Labels == nil {
		changed.Labels = map[string]string{}
	}
	maps.Copy(changed.Labels, want.Labels)
	if err := w.Client.Update(ctx, changed); err != nil {
		return w.roleRefused(want, err)
	}
	return nil
}

func (w *Writer) roleRefused(want *rbacv1.Role, err error) error {
	switch {
	case apierrors.IsConflict(err):
		return problem.ErrStale
	case apierrors.IsForbidden(err):
		return problem.NewStalled(v1alpha1.ReasonBindingForbidden, "write Role %s/%s for secret.holderCanRead: %v",
			want.Namespace, want.Name, err).Again(w.SlowLook)
	case apierrors.IsNotFound(err):
		return problem.NewWaiting(v1alpha1.ReasonNamespaceMissing, w.SlowLook, "write Role %s/%s for secret.holderCanRead: %v", want.Namespace, want.Name, err)
	}
	return fmt.Errorf("write Role %s/%s: %w", want.Namespace, want.Name, err)
}
