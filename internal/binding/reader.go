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

// Names, within an identity, of the bindings that let the holder and invitations read the Secret. No binding of the spec has one
// of them: theirs are DNS labels.
const (
	readerName        = "secret-reader:"
	accountReaderName = "invitation-reader:"
)

// isReader says whether that is the name of a binding that lets a holder or an invitation read.
func isReader(name string) bool {
	return strings.Contains(name, ":"+readerName+":") || strings.Contains(name, ":"+accountReaderName+":")
}

// Reader lets the holder of a credential, and those who are invited, read the published Secret. A Role's name is no secret: what it
// grants is held by those alone whom its bindings name.
type Reader struct {
	role     *rbacv1.Role
	bindings []access.Binding
}

// NewReader returns the Role and the bindings that let the holder read an identity's Secret and, where it is not nil, the
// ServiceAccount of invitations. Group is the credential's; where it is empty, the binding names the user.
func NewReader(identity *v1alpha1.ClientIdentity, secret client.ObjectKey, group string, account *client.ObjectKey) *Reader {
	role := &rbacv1.Role{
		ObjectMeta: dependent.Meta(identity, client.ObjectKey{Namespace: secret.Namespace, Name: "clientidentity:" + identity.Name + ":" + readerName}),
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secret.Name}, Verbs: []string{"get"},
		}},
	}
	reader := &Reader{role: role}
	reader.bind(identity, readerName, holderSubject(identity, group))
	if account != nil {
		reader.bind(identity, accountReaderName, accountSubject(*account))
	}
	return reader
}

func (r *Reader) bind(identity *v1alpha1.ClientIdentity, name string, subject rbacv1.Subject) {
	roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.role.Name}
	specName := "secret.holderCanRead"
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		specName = holderSource
	}
	r.bindings = append(r.bindings, access.Binding{
		Namespace: r.role.Namespace, Name: access.BindingName(identity.Name, name, roleRef), SpecName: specName, RoleRef: roleRef, Subject: subject,
	})
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
