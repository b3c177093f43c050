// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/consistent"
)

// namespace returns the metadata of a namespace with a label team, or without.
func namespace(name, team string) *metav1.PartialObjectMetadata {
	ns := newNamespace()
	ns.Name = name
	ns.Labels = map[string]string{"kubernetes.io/metadata.name": name}
	if team != "" {
		ns.Labels["team"] = team
	}
	return ns
}

// selects is a change of the spec: a binding in the namespaces of a team.
func selects(team string) func(*v1alpha1.ClientIdentity) {
	return func(id *v1alpha1.ClientIdentity) {
		id.Spec.RoleBindings = append(id.Spec.RoleBindings, v1alpha1.RoleBinding{
			Name: team, NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": v1alpha1.LabelValue(team)}},
			RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
		})
	}
}

func TestWhatHappensToANamespaceAsksForThoseThatDependOnIt(t *testing.T) {
	bound := func(namespace string) func(*v1alpha1.ClientIdentity) {
		return func(id *v1alpha1.ClientIdentity) {
			id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "b", Namespace: namespace}}
		}
	}
	w := newWorld(t, identity("alice", bound("dev")), identity("bob", bound("prod")), identity("carol", selects("a"), selects("b")),
		identity("dave", func(id *v1alpha1.ClientIdentity) { id.Spec.Secret.Namespace = "dev" }),
		identity("erin", func(id *v1alpha1.ClientIdentity) {
			id.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "others", NamespaceSelector: &v1alpha1.NamespaceSelector{
				MatchExpressions: []v1alpha1.NamespaceSelectorRequirement{{Key: "team", Operator: "DoesNotExist"}},
			}}}
		}))
	going := func(ns *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
		ns.DeletionTimestamp = at(0)
		return ns
	}
	everyone := []string{"alice", "bob", "carol", "erin"}
	for name, tt := range map[string]struct {
		before, after *metav1.PartialObjectMetadata
		want          []string
	}{
		"where it is named":                {nil, namespace("dev", "c"), []string{"alice", "dave"}},
		"where it is the one of Secrets":   {nil, namespace(testNamespace, "a"), everyone},
		"where it is selected":             {nil, namespace("new", "a"), []string{"carol"}},
		"where it has no label":            {nil, namespace("new", ""), []string{"erin"}},
		"where it is another team's":       {nil, namespace("new", "c"), nil},
		"where it becomes another team's":  {namespace("new", "a"), namespace("new", "c"), []string{"carol"}},
		"where it loses its label":         {namespace("new", "b"), namespace("new", ""), []string{"carol", "erin"}},
		"not for labels of no matter":      {namespace("dev", "c"), namespace("dev", "d"), nil},
		"where it begins to go":            {namespace("prod", "a"), going(namespace("prod", "a")), []string{"bob", "carol"}},
		"where it is gone":                 {going(namespace("prod", "a")), nil, []string{"bob"}},
		"where both selectors selected it": {namespace("new", "a"), namespace("new", "b"), []string{"carol"}},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after client.Object
			if tt.before != nil {
				before = tt.before
			}
			if tt.after != nil {
				after = tt.after
			}
			got := w.affected(t.Context(), before, after)
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("asks for %q, want %q", got, tt.want)
			}
		})
	}
	if got := requestNames(w.allRequests(t.Context(), nil)); len(got) != 5 {
		t.Errorf("asks for %q, want all", got)
	}
}

// A thousand namespaces that come where a thousand identities have selectors are no million of anything.
func TestNamespacesCostThoseWhoSelectThem(t *testing.T) {
	const teams, namespacesOfEach = 40, 5
	var objects []client.Object
	for n := range teams {
		team := fmt.Sprint("team-", n)
		objects = append(objects, identity("of-"+team, selects(team)))
		for i := range namespacesOfEach {
			objects = append(objects, &corev1.Namespace{ObjectMeta: namespace(fmt.Sprint(team, "-", i), team).ObjectMeta})
		}
	}
	w := newWorld(t, objects...)
	read := 0
	counting := interceptor.NewClient(w.base, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		err := c.List(ctx, list, opts...)
		switch list := list.(type) {
		case *v1alpha1.ClientIdentityList:
			read += len(list.Items)
		case *metav1.PartialObjectMetadataList:
			read += len(list.Items)
		}
		return err
	}})
	w.client = consistent.New(counting, w.clock, nil)
	w.observer.Reader = w.client
	for n := range teams {
		for i := range namespacesOfEach {
			team := fmt.Sprint("team-", n)
			if got := w.affected(t.Context(), nil, namespace(fmt.Sprint(team, "-", i), team)); !slices.Equal(got, []string{"of-" + team}) {
				t.Fatalf("asks for %q", got)
			}
		}
	}
	if read != teams*namespacesOfEach {
		t.Errorf("read %d identities for %d namespaces, each of one of them", read, teams*namespacesOfEach)
	}
	for n := range teams {
		read = 0
		seen := w.observer.Observe(t.Context(), w.get(fmt.Sprint("of-team-", n)), v1alpha1.ClientIdentityStatus{}, start)
		if len(seen.Namespaces) != namespacesOfEach || seen.NamespacesErr != nil || read > namespacesOfEach+1 {
			t.Errorf("sees %d namespaces (%v) and has read %d", len(seen.Namespaces), seen.NamespacesErr, read)
		}
	}
}

func TestANamespaceIsLookedAtWhereBindingsCouldChange(t *testing.T) {
	namespace := func(labels map[string]string, deleted *metav1.Time) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "dev", Labels: labels, DeletionTimestamp: deleted}}
	}
	plain := namespace(nil, nil)
	for name, test := range map[string]struct {
		after *metav1.PartialObjectMetadata
		want  bool
	}{
		"labels":                  {namespace(map[string]string{"team": "a"}, nil), true},
		"its end":                 {namespace(nil, at(0)), true},
		"nothing":                 {namespace(nil, nil), false},
		"another one of its name": {&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "dev", UID: "another"}}, true},
		"annotation":              {&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "dev", Annotations: map[string]string{"a": "b"}}}, false},
	} {
		if got := namespaceChanged().Update(event.UpdateEvent{ObjectOld: plain, ObjectNew: test.after}); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
