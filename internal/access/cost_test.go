// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/cost"
)

// selectorsOver is an identity with eight selectors, and so many namespaces that they select.
func selectorsOver(count int) (*v1alpha1.ClientIdentity, []Namespace) {
	id := identity()
	for i := range 8 {
		id.Spec.RoleBindings = append(id.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: fmt.Sprint("binding-", i), RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"},
			NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}},
		})
	}
	var namespaces []Namespace
	for i := range count {
		namespaces = append(namespaces, Namespace{Name: fmt.Sprint("namespace-", i), Labels: map[string]string{"team": "a"}})
	}
	return id, namespaces
}

// inPlace are the objects of bindings, as they should be.
func inPlace(bindings []Binding) []Observed {
	var all []Observed
	for _, b := range bindings {
		all = append(all, Observed{Namespace: b.Namespace, Name: b.Name, Owned: true, RoleRef: b.RoleRef, Subjects: []rbacv1.Subject{b.Subject}})
	}
	return all
}

// calls are those of one pass, with eight bindings and with 2,400.
func calls() map[string]cost.Call {
	all := map[string]cost.Call{}
	for _, size := range []struct {
		namespaces    int
		desired, diff float64
	}{{1, 145, 10}, {300, 215, 47}} {
		id, namespaces := selectorsOver(size.namespaces)
		desired := Desired(id, namespaces, nil, "", now)
		have := inPlace(desired.Bindings)
		count := fmt.Sprint(len(have), " bindings")
		all["desired, "+count] = cost.Call{Most: size.desired, Do: func() { Desired(id, namespaces, nil, "", now) }}
		all["diff, "+count] = cost.Call{Most: size.diff, Do: func() { Diff(desired.Bindings, have) }}
	}
	return all
}

func TestCost(t *testing.T) {
	cost.Test(t, calls())
	cost.TestGrowth(t, 20, func(size int) func() {
		id, namespaces := selectorsOver(size)
		return func() { Desired(id, namespaces, nil, "", now) }
	})
	cost.TestGrowth(t, 20, func(size int) func() {
		id, namespaces := selectorsOver(size)
		desired := Desired(id, namespaces, nil, "", now).Bindings
		have := inPlace(desired)
		return func() { Diff(desired, have) }
	})
	cost.TestGrowth(t, 20, func(size int) func() {
		id, namespaces := selectorsOver(size)
		have := inPlace(Desired(id, namespaces, nil, "", now).Bindings)
		return func() { Diff(nil, have) } // all of them go
	})
}

func BenchmarkPass(b *testing.B) { cost.Benchmark(b, calls()) }
