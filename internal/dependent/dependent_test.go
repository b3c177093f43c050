// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package dependent

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func identity(name string, uid types.UID) *v1alpha1.ClientIdentity {
	return &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
}

var alice = identity("alice", "uid-1")

// made is a Secret as it is made for alice, changed by the options.
func made(changes ...func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: Meta(alice, types.NamespacedName{Namespace: "team", Name: "alice-kubeconfig"})}
	for _, apply := range changes {
		apply(secret)
	}
	return secret
}

func noOwner(s *corev1.Secret)      { s.OwnerReferences = nil }
func noLabels(s *corev1.Secret)     { s.Labels = nil }
func moreLabels(s *corev1.Secret)   { s.Labels["team"] = "a" }
func bobsLabel(s *corev1.Secret)    { s.Labels[v1alpha1.IdentityLabel] = "bob" }
func foreignLabel(s *corev1.Secret) { s.Labels[v1alpha1.ManagedByLabel] = "helm" }
func noController(s *corev1.Secret) { s.OwnerReferences[0].Controller = nil }
func ofSomebodyElse(s *corev1.Secret) {
	s.OwnerReferences[0].APIVersion, s.OwnerReferences[0].Kind = "apps/v1", "Deployment"
}
func ofAnotherAPI(s *corev1.Secret)  { s.OwnerReferences[0].APIVersion = "example.com/v1alpha1" }
func ofAnotherKind(s *corev1.Secret) { s.OwnerReferences[0].Kind = "IdentityPolicy" }

func TestMetaMarksADependent(t *testing.T) {
	want := metav1.ObjectMeta{
		Namespace: "team", Name: "alice-kubeconfig",
		Labels: map[string]string{"app.kubernetes.io/managed-by": v1alpha1.ManagedByValue, "clientidentity.dev/identity": "alice"},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "clientidentity.dev/v1alpha1", Kind: "ClientIdentity", Name: "alice", UID: "uid-1",
			Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
		}},
	}
	if diff := cmp.Diff(want, made().ObjectMeta); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoseADependentIs(t *testing.T) {
	for name, test := range map[string]struct {
		given              *corev1.Secret
		labelled, orphaned bool
		index, identities  []string
	}{
		"one that was made":              {made(), true, false, []string{"uid-1"}, []string{"alice"}},
		"one that others labelled, too":  {made(moreLabels), true, false, []string{"uid-1"}, []string{"alice"}},
		"one restored from a backup":     {made(noOwner), true, true, []string{"orphan/alice"}, []string{"alice"}},
		"one restored as somebody's":     {made(noController), true, true, []string{"orphan/alice"}, []string{"alice"}},
		"one without our labels":         {made(noLabels), false, false, []string{"uid-1"}, []string{"alice"}},
		"one with another's label":       {made(bobsLabel), false, false, []string{"uid-1"}, []string{"bob", "alice"}},
		"another's that was restored":    {made(noOwner, bobsLabel), false, false, []string{"orphan/bob"}, []string{"bob"}},
		"one that another tool manages":  {made(noOwner, foreignLabel), false, false, []string{"orphan/alice"}, []string{"alice"}},
		"a planted one of a controller":  {made(ofSomebodyElse), true, false, nil, []string{"alice"}},
		"one of another API":             {made(ofAnotherAPI, noLabels), false, false, nil, nil},
		"one of another kind of our API": {made(ofAnotherKind, noLabels), false, false, nil, nil},
		"one of nobody":                  {made(noOwner, noLabels), false, false, []string{"orphan/"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Labelled(test.given, alice); got != test.labelled {
				t.Errorf("labelled %t, want %t", got, test.labelled)
			}
			if got := Orphaned(test.given, alice); got != test.orphaned {
				t.Errorf("orphaned %t, want %t", got, test.orphaned)
			}
			if diff := cmp.Diff(test.index, Index(test.given)); diff != "" {
				t.Errorf("index (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.identities, Identities(test.given)); diff != "" {
				t.Errorf("identities (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnIdentityFindsItsDependents(t *testing.T) {
	found := func(id *v1alpha1.ClientIdentity, object metav1.Object) bool {
		return slices.ContainsFunc(Index(object), func(value string) bool { return slices.Contains(Keys(id), value) })
	}
	for name, test := range map[string]struct {
		identity *v1alpha1.ClientIdentity
		given    *corev1.Secret
		want     bool
	}{
		"its own":                          {alice, made(), true},
		"its own without labels":           {alice, made(noLabels), true},
		"what was restored of it":          {alice, made(noOwner), true},
		"what was restored with it":        {identity("alice", "uid-2"), made(noOwner), true},
		"not that of one of its name":      {identity("alice", "uid-2"), made(), false},
		"not another's":                    {identity("bob", "uid-2"), made(), false},
		"not what was restored of another": {identity("bob", "uid-2"), made(noOwner), false},
		"not what another controller has":  {alice, made(ofSomebodyElse), false},
		"not what nobody has":              {alice, made(noOwner, noLabels), false},
	} {
		if got := found(test.identity, test.given); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
