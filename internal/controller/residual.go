// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const (
	// maxResidual bounds the bindings named in the status.
	maxResidual = 20
	// pageSize is how many objects are read at a time.
	pageSize = 500
)

// observeResidualAccess looks up what bindings of others still grant the user or one of its groups something. It
// is looked up once for each generation of a withdrawn identity, live and page by page: watching all RBAC of a
// cluster for this would cost far more than it is worth.
func (p *pass) observeResidualAccess(ctx context.Context) error {
	if p.identity.DeletionTimestamp != nil ||
		(p.status.ResidualAccess != nil && p.identity.Status.ObservedGeneration == p.identity.Generation) {
		return nil
	}
	who := newHolder(p.identity)
	found := &v1alpha1.ResidualAccess{ObservedTime: &metav1.Time{Time: p.now}}
	note := func(kind string, object metav1.Object, subjects []rbacv1.Subject) {
		if !who.among(subjects) {
			return
		}
		found.Total++
		if len(found.Bindings) < maxResidual {
			found.Bindings = append(found.Bindings, v1alpha1.BindingReference{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()})
		}
	}
	clusterRoleBindings := &rbacv1.ClusterRoleBindingList{}
	if err := p.eachPage(ctx, clusterRoleBindings, func() {
		for i := range clusterRoleBindings.Items {
			note("ClusterRoleBinding", &clusterRoleBindings.Items[i], clusterRoleBindings.Items[i].Subjects)
		}
	}); err != nil {
		return err
	}
	roleBindings := &rbacv1.RoleBindingList{}
	if err := p.eachPage(ctx, roleBindings, func() {
		for i := range roleBindings.Items {
			note("RoleBinding", &roleBindings.Items[i], roleBindings.Items[i].Subjects)
		}
	}); err != nil {
		return err
	}
	p.status.ResidualAccess = found
	return nil
}

// eachPage lists live and calls visit for each page in list.
func (p *pass) eachPage(ctx context.Context, list client.ObjectList, visit func()) error {
	for token := ""; ; {
		if err := p.Live.List(ctx, list, client.Limit(pageSize), client.Continue(token)); err != nil {
			return fmt.Errorf("look for role bindings of others (%T): %w", list, err)
		}
		visit()
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}

// holder is whom a binding may grant something: the user and the groups that its valid certificates carry.
type holder struct {
	username string
	groups   sets.Set[string]
}

func newHolder(identity *v1alpha1.ClientIdentity) holder {
	h := holder{username: identity.Spec.Username, groups: sets.New(identity.Spec.Groups...)}
	for i := range identity.Status.Certificates {
		h.groups.Insert(identity.Status.Certificates[i].Groups...)
	}
	return h
}

// among says whether one of the subjects is the user or one of its groups.
func (h holder) among(subjects []rbacv1.Subject) bool {
	for _, s := range subjects {
		if (s.Kind == rbacv1.UserKind && s.Name == h.username) || (s.Kind == rbacv1.GroupKind && h.groups.Has(s.Name)) {
			return true
		}
	}
	return false
}

// residualMessage says how much other access is left, and how to see it.
func residualMessage(status *v1alpha1.ClientIdentityStatus, username string) string {
	if status.ResidualAccess == nil || status.ResidualAccess.Total == 0 {
		return ""
	}
	return fmt.Sprintf("; %d role bindings of others still grant this user or one of its groups something: see status.residualAccess, "+
		"and kubectl auth can-i --list --as=%q with --as-group for each group", status.ResidualAccess.Total, username)
}
