// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Observed is a binding object that exists: a ClusterRoleBinding where the namespace is empty.
type Observed struct {
	Namespace       string
	Name            string
	UID             types.UID
	ResourceVersion string
	RoleRef         rbacv1.RoleRef
	Subjects        []rbacv1.Subject
	// Owned says that its controller ownerReference has the UID of the identity.
	Owned bool
	// Orphan says that it has the identity's label and no controller at all, as after a restored backup.
	Orphan bool
	// MetadataDrift says that the metadata is not as the operator sets it.
	MetadataDrift bool
	// Deleting says that it has a deletionTimestamp.
	Deleting bool
	// Finalizers says that it has finalizers, which keep it, and what it grants, after its deletion.
	Finalizers bool
}

// Key returns what identifies the binding in the cluster.
func (o Observed) Key() Key { return Key{Namespace: o.Namespace, Name: o.Name} }

// EmptyFirst reports whether the subjects must be removed before the binding is deleted, because it
// would go on granting while somebody's finalizer keeps it.
func (o Observed) EmptyFirst() bool { return o.Finalizers && len(o.Subjects) > 0 }

// foreign reports whether the object is somebody else's, which is never touched.
func (o Observed) foreign() bool { return !o.Owned && !o.Orphan }

// grants reports whether the subjects are exactly the wanted one.
func (o Observed) grants(want rbacv1.Subject) bool {
	return len(o.Subjects) == 1 && o.Subjects[0] == want
}

// InOrder reports whether the object is all that is wanted: there is nothing to do about it.
func (o Observed) InOrder(want Binding) bool {
	return o.Owned && o.RoleRef == want.RoleRef && o.grants(want.Subject) && !o.MetadataDrift && !o.Deleting
}

// Change is a binding that is wanted and the object that has its name.
type Change struct {
	Want Binding
	Have Observed
}

// Conflict is a wanted name that somebody else's object has.
type Conflict Change

// Wait is a wanted name whose object is being deleted.
type Wait Change

// Plan is what to do so that exactly the wanted bindings exist. Each list is by namespace and name. To
// be carried out in the order of the fields, so that subjects change before anything else and what is new
// exists before what is old goes. Deletions take UID and resourceVersion as preconditions.
type Plan struct {
	// Empty are being deleted and still grant what is not wanted: remove their subjects.
	Empty []Observed
	// Update are ours but differ in subjects or metadata: one update each.
	Update []Change
	// Create do not exist.
	Create []Binding
	// Replace cannot be updated: orphans, since a planted one would keep its metadata, and objects with
	// another role. Delete (see Observed.EmptyFirst), then create.
	Replace []Change
	// Delete are ours or orphans, and not wanted (see Observed.EmptyFirst).
	Delete []Observed

	// Waiting are wanted, but their name is free only when its object is gone; a watch tells.
	Waiting []Wait
	// Leaving are not wanted, grant nothing and are being deleted: not seen gone yet.
	Leaving []Observed
	// Conflicts are wanted, but their name is taken. No watch of ours tells when that ends.
	Conflicts []Conflict
	// Bound is how many of the wanted bindings are in place as they should be.
	Bound int
}

// Narrowing returns the part of the plan that gives nobody anything: for an identity that may not have more than it
// has, and may lose what it has. A subject changes only to the group of a credential, which a revocation asks for.
func (p Plan) Narrowing() Plan {
	p.Create, p.Replace = nil, nil
	p.Update = slices.DeleteFunc(slices.Clone(p.Update), func(c Change) bool {
		credential := c.Want.Subject.Kind == rbacv1.GroupKind && strings.HasPrefix(c.Want.Subject.Name, v1alpha1.CredentialGroupPrefix)
		return !credential && !c.Have.grants(c.Want.Subject)
	})
	return p
}

// Changed returns the objects that exist and are to be changed, deleted or replaced.
func (p Plan) Changed() []Observed {
	changed := slices.Concat(p.Empty, p.Delete)
	for _, c := range slices.Concat(p.Update, p.Replace) {
		changed = append(changed, c.Have)
	}
	return changed
}

// Gone reports whether nothing that is not wanted is left, not even one that is being deleted.
func (p Plan) Gone() bool {
	return len(p.Empty)+len(p.Replace)+len(p.Delete)+len(p.Leaving) == 0
}

// Diff returns what to do so that exactly the desired bindings (with one key each) exist. Observed are all
// objects of the identity, by ownership or by label, and whatever has a wanted name. A foreign object is
// in nothing but Conflicts.
func Diff(desired []Binding, observed []Observed) Plan {
	var plan Plan
	byKey := make(map[Key]int, len(observed))
	for i := range observed {
		byKey[observed[i].Key()] = i
	}
	desired = slices.SortedFunc(slices.Values(desired), func(a, b Binding) int { return a.Key().Compare(b.Key()) })
	wanted := make(map[Key]bool, len(desired))
	for _, want := range desired {
		wanted[want.Key()] = true
		if i, exists := byKey[want.Key()]; exists {
			plan.wanted(Change{Want: want, Have: observed[i]})
		} else {
			plan.Create = append(plan.Create, want)
		}
	}
	for _, have := range observed {
		if !wanted[have.Key()] && !have.foreign() {
			plan.unwanted(have)
		}
	}
	for _, list := range [][]Observed{plan.Empty, plan.Delete, plan.Leaving} {
		slices.SortFunc(list, func(a, b Observed) int { return a.Key().Compare(b.Key()) })
	}
	return plan
}

// wanted adds what to do about an object that has a wanted name.
func (p *Plan) wanted(c Change) {
	ours := c.Have.Owned && c.Have.RoleRef == c.Want.RoleRef
	right := ours && c.Have.grants(c.Want.Subject)
	switch {
	case c.Have.foreign():
		p.Conflicts = append(p.Conflicts, Conflict(c))
	case c.Have.Deleting:
		// A finalizer may keep it for long, so what it grants matters as much as before.
		if ours && !right {
			p.Update = append(p.Update, c)
		} else if !right && len(c.Have.Subjects) > 0 {
			p.Empty = append(p.Empty, c.Have)
		}
		p.Waiting = append(p.Waiting, Wait(c))
	case !ours:
		p.Replace = append(p.Replace, c)
	case !right || c.Have.MetadataDrift:
		p.Update = append(p.Update, c)
	default:
		p.Bound++
	}
}

// unwanted adds what to do about an object of ours, or an orphan, that is not asked for.
func (p *Plan) unwanted(have Observed) {
	switch {
	case have.Deleting && len(have.Subjects) > 0:
		p.Empty = append(p.Empty, have)
	case have.Deleting:
		p.Leaving = append(p.Leaving, have)
	default:
		p.Delete = append(p.Delete, have)
	}
}
