// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// readerBinding is the name, within an identity, of the binding that lets the holder read the Secret. No binding of
// the spec has it: theirs are DNS labels.
const readerBinding = "secret-reader:"

// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles,namespace=client-identities,verbs=get;list;watch;create;update;delete

// reader returns the Role that lets the holder of the credential read the published Secret, and its binding; nil
// where that is not asked for, or the Secret that stands there is not this identity's: the spec could name that of
// another one, or the Secret of somebody else. A Role's name is no secret: what it grants is held by the
// credential's group alone.
func (p *pass) reader(ctx context.Context, group string) (*rbacv1.Role, *access.Binding, error) {
	location, err := p.secretLocation()
	if err != nil || !p.identity.Spec.Secret.HolderCanRead || p.identity.Spec.BindTo != v1alpha1.BindToCredential {
		return nil, nil, nil //nolint:nilerr // said by provide, whose problem it is
	}
	secret := newSecretMetadata()
	if err := p.Get(ctx, location, secret); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("read the metadata of Secret %s: %w", location, err)
	}
	if !metav1.IsControlledBy(secret, p.identity) {
		return nil, nil, nil // the watch tells when it is
	}
	role := &rbacv1.Role{
		ObjectMeta: p.dependentMeta(client.ObjectKey{Namespace: location.Namespace, Name: "clientidentity:" + p.identity.Name + ":" + readerBinding}),
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{location.Name}, Verbs: []string{"get"},
		}},
	}
	roleRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}
	return role, &access.Binding{
		Namespace: location.Namespace,
		Name:      access.BindingName(p.identity.Name, readerBinding, roleRef),
		SpecName:  "secret.holderCanRead",
		RoleRef:   roleRef,
		Subject:   rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group},
	}, nil
}

// applyReader makes the Role as it should be and removes Roles of this identity that are not wanted (any more), and
// those that were restored from a backup of it.
func (p *pass) applyReader(ctx context.Context, want *rbacv1.Role) error {
	for _, index := range []string{string(p.identity.UID), orphanOf(p.identity.Name)} {
		var owned rbacv1.RoleList
		if err := p.List(ctx, &owned, client.MatchingFields{indexOwner: index}, client.DisableReadYourWritesConsistency); err != nil {
			return fmt.Errorf("list Roles: %w", err)
		}
		for i := range owned.Items {
			role := &owned.Items[i]
			if want != nil && role.Namespace == want.Namespace && role.Name == want.Name && !p.orphaned(role) {
				continue
			}
			if err := p.removeReader(ctx, role); err != nil {
				return err
			}
		}
	}
	if want == nil {
		return nil
	}
	have := &rbacv1.Role{}
	err := p.Get(ctx, client.ObjectKeyFromObject(want), have)
	if apierrors.IsNotFound(err) {
		if err = p.Create(ctx, want.DeepCopy()); err == nil {
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return p.readerRefused(want, err)
		}
		err = p.Live.Get(ctx, client.ObjectKeyFromObject(want), have)
	}
	if err != nil {
		return fmt.Errorf("read Role %s/%s: %w", want.Namespace, want.Name, err)
	}
	return p.correctReader(ctx, want, have)
}

// removeReader deletes the Role that was seen, and only that: one that lost our labels meanwhile would be waited for in
// a cache that does not hold it.
func (p *pass) removeReader(ctx context.Context, role *rbacv1.Role) error {
	uid, version := role.UID, role.ResourceVersion
	err := p.Delete(ctx, role, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if apierrors.IsConflict(err) {
		return errStale
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Role %s/%s: %w", role.Namespace, role.Name, err)
	}
	return nil
}

// correctReader updates a Role of ours, and leaves one of others alone.
func (p *pass) correctReader(ctx context.Context, want, have *rbacv1.Role) error {
	if !metav1.IsControlledBy(have, p.identity) {
		return waitingProblem(v1alpha1.ReasonBindingConflict, p.Options.SlowLook,
			"Role \"%s/%s\" exists and is not owned by this ClientIdentity: delete it, so that the holder can read the Secret", want.Namespace, want.Name)
	}
	if equality.Semantic.DeepEqual(have.Rules, want.Rules) && contains(have.Labels, want.Labels) {
		return nil
	}
	changed := have.DeepCopy()
	changed.Rules = want.Rules
	for k, v := range want.Labels {
		metav1.SetMetaDataLabel(&changed.ObjectMeta, k, v)
	}
	if err := p.Update(ctx, changed); err != nil {
		return p.readerRefused(want, err)
	}
	return nil
}

func (p *pass) readerRefused(want *rbacv1.Role, err error) error {
	switch {
	case apierrors.IsConflict(err):
		return errStale
	case apierrors.IsForbidden(err):
		return stalledProblem(v1alpha1.ReasonBindingForbidden, "write Role %s/%s for secret.holderCanRead: %v",
			want.Namespace, want.Name, err).again(p.Options.SlowLook)
	case apierrors.IsNotFound(err):
		return waitingProblem(v1alpha1.ReasonNamespaceMissing, p.Options.SlowLook, "write Role %s/%s for secret.holderCanRead: %v", want.Namespace, want.Name, err)
	}
	return fmt.Errorf("write Role %s/%s: %w", want.Namespace, want.Name, err)
}
