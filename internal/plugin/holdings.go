// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/timing"
)

// leaver is a user whose access is looked for: by name, and by the groups that its identities give.
type leaver struct {
	username   string
	groups     sets.Set[string]
	identities []v1alpha1.ClientIdentity
	// owners are the names of all identities, by UID.
	owners map[types.UID]string
}

// newLeaver finds the identities of a user among all. Groups that its certificates carry count although the spec has them no more.
func newLeaver(username string, groups []string, all []v1alpha1.ClientIdentity) *leaver {
	l := &leaver{username: username, groups: sets.New(groups...), owners: map[types.UID]string{}}
	for i := range all {
		id := &all[i]
		l.owners[id.UID] = id.Name
		if id.Spec.Username != username {
			continue
		}
		l.identities = append(l.identities, *id)
		l.groups.Insert(id.Spec.Groups...)
		for j := range id.Status.Certificates {
			l.groups.Insert(id.Status.Certificates[j].Groups...)
		}
		if others := id.Status.OtherCertificates; others != nil {
			l.groups.Insert(others.Groups...)
		}
	}
	slices.SortFunc(l.identities, func(a, b v1alpha1.ClientIdentity) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// holding is something that gives a user something.
type holding struct {
	object                client.Object
	kind, gives, to, from string
	// ours says that it ends when an identity of the user is withdrawn.
	ours bool
	// ended says that it gives nothing any more.
	ended bool
}

// ofIdentity tells of an identity of the user.
func (l *leaver) ofIdentity(id *v1alpha1.ClientIdentity, now time.Time) holding {
	g := holding{object: id, kind: "ClientIdentity", to: "user " + l.username, from: "-", ours: true}
	until := timing.Value(id.Status.OutstandingUntil)
	switch {
	case isTrue(id, v1alpha1.ConditionWithdrawn) && seen(id):
		g.ended, g.gives = true, "withdrawn"
	case id.Spec.State == v1alpha1.StateWithdrawn:
		g.gives = "being withdrawn"
	default:
		g.gives = "active"
	}
	if until.After(now) {
		g.gives += ", certificates until " + timing.Stamp(until)
	}
	return g
}

// ofBinding tells of a role binding, if it names the user or one of its groups.
func (l *leaver) ofBinding(object client.Object, kind string, role rbacv1.RoleRef, subjects []rbacv1.Subject) (holding, bool) {
	var to []string
	for _, s := range subjects {
		switch {
		case s.Kind == rbacv1.UserKind && s.Name == l.username:
			to = append(to, "user "+s.Name)
		case s.Kind == rbacv1.GroupKind && l.groups.Has(s.Name):
			to = append(to, "group "+s.Name)
		}
	}
	if len(to) == 0 {
		return holding{}, false
	}
	g := holding{object: object, kind: kind, gives: role.Kind + " " + role.Name, to: strings.Join(to, ", "), from: "others"}
	if more := len(subjects) - len(to); more > 0 {
		g.to += fmt.Sprintf(" (and %d more)", more)
	}
	if owner := metav1.GetControllerOf(object); owner != nil && owner.Kind == "ClientIdentity" && l.owners[owner.UID] != "" {
		g.from = "ClientIdentity " + l.owners[owner.UID]
		g.ours = slices.ContainsFunc(l.identities, func(id v1alpha1.ClientIdentity) bool { return id.UID == owner.UID })
	}
	return g, true
}

// find looks for all that grants the user something: identities, then role bindings of the cluster, then those of namespaces, page by page.
func (l *leaver) find(ctx context.Context, c client.Client, now time.Time) ([]holding, error) {
	var found []holding
	for i := range l.identities {
		found = append(found, l.ofIdentity(&l.identities[i], now))
	}
	err := eachBinding(ctx, c, func(object client.Object, kind string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if g, ok := l.ofBinding(object, kind, role, subjects); ok {
			found = append(found, g)
		}
	})
	return found, err
}

// eachBinding visits all role bindings, page by page.
func eachBinding(ctx context.Context, c client.Client, visit func(client.Object, string, rbacv1.RoleRef, []rbacv1.Subject)) error {
	for token := ""; ; {
		list := &rbacv1.ClusterRoleBindingList{}
		if err := c.List(ctx, list, client.Limit(page), client.Continue(token)); err != nil {
			return fmt.Errorf("list ClusterRoleBindings: %w", err)
		}
		for i := range list.Items {
			b := &list.Items[i]
			visit(b, "ClusterRoleBinding", b.RoleRef, b.Subjects)
		}
		if token = list.Continue; token == "" {
			break
		}
	}
	for token := ""; ; {
		list := &rbacv1.RoleBindingList{}
		if err := c.List(ctx, list, client.Limit(page), client.Continue(token)); err != nil {
			return fmt.Errorf("list RoleBindings: %w", err)
		}
		for i := range list.Items {
			b := &list.Items[i]
			visit(b, "RoleBinding", b.RoleRef, b.Subjects)
		}
		if token = list.Continue; token == "" {
			return nil
		}
	}
}

// left counts what still grants the user something: identities that are not withdrawn, and role bindings, ours and others'.
func left(found []holding) (identities, ours, others int) {
	for _, g := range found {
		switch {
		case g.ended:
		case g.kind == "ClientIdentity":
			identities++
		case g.ours:
			ours++
		default:
			others++
		}
	}
	return identities, ours, others
}
