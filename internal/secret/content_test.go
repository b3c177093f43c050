// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestMergeMetadata(t *testing.T) {
	foreign := metav1.OwnerReference{Kind: "Other", Name: "o", UID: "o"}
	former := metav1.OwnerReference{Kind: "ClientIdentity", Name: "alice", UID: "old", Controller: ptr.To(true)}
	ours := metav1.OwnerReference{Kind: "ClientIdentity", Name: "alice", UID: "new", Controller: ptr.To(true)}
	have := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Labels:      map[string]string{"theirs": "1", "ours": "edited", "formerly": "x"},
		Annotations: map[string]string{"theirs": "1", "formerly-note": "x", v1alpha1.ManagedMetadataAnnotation: "formerly,ours;formerly-note"},
		Finalizers:  []string{"example.com/theirs"}, OwnerReferences: []metav1.OwnerReference{foreign, former},
	}}
	want := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Labels: map[string]string{"ours": "1"}, Annotations: map[string]string{v1alpha1.ManagedMetadataAnnotation: "ours;"},
		OwnerReferences: []metav1.OwnerReference{ours},
	}}
	mergeMetadata(want, have)
	expected := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Labels:      map[string]string{"theirs": "1", "ours": "1"},
		Annotations: map[string]string{"theirs": "1", v1alpha1.ManagedMetadataAnnotation: "ours;"},
		Finalizers:  []string{"example.com/theirs"}, OwnerReferences: []metav1.OwnerReference{ours, foreign},
	}}
	if diff := cmp.Diff(expected, want); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	bare := &corev1.Secret{}
	mergeMetadata(bare, &corev1.Secret{})
	if len(bare.Labels)+len(bare.Annotations) > 0 {
		t.Errorf("got %+v of nothing", bare.ObjectMeta)
	}
}

func TestManagedNamesAreSorted(t *testing.T) {
	spec := &v1alpha1.SecretTemplate{
		Labels:      map[string]v1alpha1.LabelValue{"b": "1", "a": "1", "c": "1"},
		Annotations: map[string]v1alpha1.AnnotationValue{"z": "1", "y": "1"},
	}
	if got := managedNames(spec, map[string]string{"c": "1", "d": "1"}); got != "a,b,c,d;y,z" {
		t.Errorf("got %q", got)
	}
	if got := managedNames(&v1alpha1.SecretTemplate{}, nil); got != ";" {
		t.Errorf("got %q of nothing", got)
	}
}

func TestMetadataDrifted(t *testing.T) {
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u1"}}
	want := Wanted{Identity: alice}.metadata()
	for name, test := range map[string]struct {
		change func(*corev1.Secret)
		want   bool
	}{
		"nothing changed":          {func(*corev1.Secret) {}, false},
		"what others added":        {func(s *corev1.Secret) { s.Labels["theirs"], s.Annotations["theirs"] = "1", "1" }, false},
		"a label gone":             {func(s *corev1.Secret) { delete(s.Labels, v1alpha1.IdentityLabel) }, true},
		"a label edited":           {func(s *corev1.Secret) { s.Labels[v1alpha1.ManagedByLabel] = "Helm" }, true},
		"the hash edited":          {func(s *corev1.Secret) { s.Annotations[v1alpha1.KubeconfigHashAnnotation] = "" }, true},
		"the owner gone":           {func(s *corev1.Secret) { s.OwnerReferences = nil }, true},
		"another owner":            {func(s *corev1.Secret) { s.OwnerReferences[0].UID = "other" }, true},
		"no controller any more":   {func(s *corev1.Secret) { s.OwnerReferences[0].Controller = nil }, true},
		"an owner more than there": {func(s *corev1.Secret) { s.OwnerReferences = append(s.OwnerReferences, metav1.OwnerReference{UID: "x"}) }, false},
	} {
		have := want.DeepCopy()
		test.change(have)
		if got := metadataDrifted(have, want, alice); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestSecretNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		namespaces              []string
		publishesIn, publishNot []string
		protected               []string
	}{
		"some": {[]string{"client-identities", "team-a"}, []string{"client-identities", "team-a"}, []string{"team-b", "*", ""}, []string{"client-identities", "team-a"}},
		"all":  {[]string{AllNamespaces}, []string{"client-identities", "team-a"}, nil, []string{"client-identities"}},
	} {
		t.Run(name, func(t *testing.T) {
			places := Places{Namespaces: test.namespaces, Default: "client-identities"}
			for _, namespace := range slices.Concat(test.publishesIn, test.publishNot) {
				if want := slices.Contains(test.publishesIn, namespace); places.Allow(namespace) != want {
					t.Errorf("publishes in %q: %t, want %t", namespace, !want, want)
				}
			}
			if got := sets.List(places.Protected()); !slices.Equal(got, test.protected) {
				t.Errorf("protected are %q, want %q", got, test.protected)
			}
		})
	}
}
