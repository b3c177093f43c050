// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

// count counts bindings, and names the first of them.
type count struct {
	total int32
	first []*reference
}

// reference is a binding, and where it was in the look.
type reference struct {
	v1alpha1.BindingReference
	position int
}

func (c *count) add(v *visit) {
	c.total++
	if len(c.first) >= maxResidual {
		return
	}
	if v.ref == nil {
		v.ref = &reference{v1alpha1.BindingReference{Kind: v.key.Kind(), Namespace: v.key.Namespace, Name: v.key.Name}, v.visited}
	}
	c.first = append(c.first, v.ref)
}

// answer is what a look has found for a question.
type answer struct {
	// began is when the look began, and err why it was not made to its end.
	began time.Time
	err   error
	// found are the bindings of the identity, what has the name of one, and what names an earlier credential of it, but for those of
	// the wanted ones that are in order. There are more where more says so. Ours says that some are of the identity.
	found      observations
	wanted     []access.Binding
	inOrder    []bool
	ours, more bool
	// count counts those that name several subjects that were asked for; the subjects count those that name one.
	count
	subjects []*subject
}

// rest returns the wanted bindings but for those that are in order, and how many those are. What is wanted may have changed since.
func (a *answer) rest(wanted []access.Binding) (rest []access.Binding, inOrder int32) {
	known := map[access.Key]*access.Binding{}
	for i, ok := range a.inOrder {
		if ok {
			known[a.wanted[i].Key()] = &a.wanted[i]
		}
	}
	for _, b := range wanted {
		if was := known[b.Key()]; was != nil && *was == b {
			inOrder++
		} else {
			rest = append(rest, b)
		}
	}
	return rest, inOrder
}

// residual returns what bindings of others grant the holder that was asked for.
func (a *answer) residual() *v1alpha1.ResidualAccess {
	all, first := a.total, slices.Clone(a.first)
	for _, s := range a.subjects {
		all += s.total
		first = append(first, s.first...)
	}
	slices.SortFunc(first, func(x, y *reference) int { return cmp.Compare(x.position, y.position) })
	residual := &v1alpha1.ResidualAccess{ObservedTime: &metav1.Time{Time: a.began}, Total: all}
	for _, ref := range first[:min(len(first), maxResidual)] {
		residual.Bindings = append(residual.Bindings, ref.BindingReference)
	}
	return residual
}
