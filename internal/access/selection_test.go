// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestWhatASelectorSelectsIsFoundByItsLabels(t *testing.T) {
	requires := func(operator string, values ...v1alpha1.LabelValue) v1alpha1.NamespaceSelectorRequirement {
		return v1alpha1.NamespaceSelectorRequirement{Key: "team", Operator: operator, Values: values}
	}
	expressions := func(all ...v1alpha1.NamespaceSelectorRequirement) *v1alpha1.NamespaceSelector {
		return &v1alpha1.NamespaceSelector{MatchExpressions: all}
	}
	namespaces := []map[string]string{
		nil, {"team": "a"}, {"team": "b", "env": "prod"}, {"team": "a", "env": "prod", "kubernetes.io/metadata.name": "x"}, {"env": "prod"}, {"team": ""},
	}
	for name, tt := range map[string]struct {
		selector *v1alpha1.NamespaceSelector
		want     []string
	}{
		"none":                        {nil, nil},
		"a label":                     {&v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}}, []string{"team=a"}},
		"the first of several labels": {&v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "b", "env": "prod"}}, []string{"env=prod"}},
		"a name": {&v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"env": "prod", "kubernetes.io/metadata.name": "x"}},
			[]string{"kubernetes.io/metadata.name=x"}},
		"one of several values": {expressions(requires("In", "a", "")), []string{"team=a", "team="}},
		"a name of a label":     {expressions(requires("Exists")), []string{"team"}},
		"what is narrower":      {expressions(requires("Exists"), requires("In", "b")), []string{"team=b"}},
		"not what it may lack":  {expressions(requires("NotIn", "a"), requires("DoesNotExist")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := LabelsFor(tt.selector)
			if !slices.Equal(got, tt.want) {
				t.Errorf("found by %q, want %q", got, tt.want)
			}
			selector, err := asSelector(tt.selector)
			for _, all := range namespaces {
				has := slices.ContainsFunc(LabelsOf(all), func(label string) bool { return slices.Contains(got, label) })
				if err == nil && selector.Matches(labels.Set(all)) && got != nil && !has {
					t.Errorf("a namespace with %v is selected and not found", all)
				}
			}
		})
	}
}

func TestASelectionChanges(t *testing.T) {
	teamA := identity(func(id *v1alpha1.ClientIdentity) {
		id.Spec.RoleBindings = []v1alpha1.RoleBinding{
			{Name: "named", Namespace: "dev"},
			{Name: "a", NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}}},
			{Name: "broken", NamespaceSelector: &v1alpha1.NamespaceSelector{}},
		}
	})
	of := func(team string) *Namespace {
		return &Namespace{Name: "dev", Labels: map[string]string{"team": team, "other": team}}
	}
	going := of("a")
	going.Terminating = true
	for name, tt := range map[string]struct {
		before, after *Namespace
		want          bool
	}{
		"where one comes":                  {nil, of("a"), true},
		"where one goes":                   {of("a"), nil, true},
		"where one begins to go":           {of("a"), going, true},
		"not where that is gone":           {going, nil, false},
		"where one loses its label":        {of("a"), of("b"), true},
		"where one gets it":                {of("b"), of("a"), true},
		"not where others come":            {nil, of("b"), false},
		"not where others change":          {of("b"), of("c"), false},
		"not where what is selected stays": {of("a"), of("a"), false},
	} {
		if got := SelectionChanges(teamA, tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
