// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

func TestOfASecretTheCacheKeepsAFixedSize(t *testing.T) {
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u1"}}
	written := func(change func(*corev1.Secret)) *metav1.PartialObjectMetadata {
		secret := Wanted{Identity: alice}.metadata()
		secret.Annotations[v1alpha1.RequestHashAnnotation] = "v1:abc"
		secret.UID, secret.ResourceVersion = "s1", "7"
		change(secret)
		return metadataOf(secret)
	}
	for name, test := range map[string]struct {
		change  func(*corev1.Secret)
		dropped bool
	}{
		"of one as the operator writes it, all that matters": {func(*corev1.Secret) {}, false},
		"of one with a label of others, a mark":              {func(s *corev1.Secret) { s.Labels["theirs"] = "1" }, true},
		"of one with an annotation of others, a mark":        {func(s *corev1.Secret) { s.Annotations["theirs"] = strings.Repeat("x", 200_000) }, true},
		"of one with a finalizer, a mark":                    {func(s *corev1.Secret) { s.Finalizers = []string{strings.Repeat("x", 200_000), "y"} }, true},
		"of one with another owner, a mark": {func(s *corev1.Secret) {
			s.OwnerReferences = append(s.OwnerReferences, metav1.OwnerReference{Name: strings.Repeat("x", 200_000)})
		}, true},
		"of one whose hash is long, its beginning": {func(s *corev1.Secret) {
			s.Annotations[v1alpha1.RequestHashAnnotation] = strings.Repeat("x", 200_000)
		}, false},
		"of one whose controller is long, its beginning": {func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{Name: strings.Repeat("x", 200_000), UID: "u2", Controller: ptr.To(true)}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			meta := written(test.change)
			if dropped(meta) != test.dropped {
				t.Errorf("marked: %t, want %t", dropped(meta), test.dropped)
			}
			if size := meta.Size(); size > 8_000 {
				t.Errorf("has %d bytes", size)
			}
			if meta.UID != "s1" || meta.ResourceVersion != "7" || meta.Labels[v1alpha1.IdentityLabel] != "alice" {
				t.Errorf("lost what it is: %+v", meta)
			}
			before := meta.DeepCopy()
			if Slim(meta); dropped(meta) != dropped(before) || meta.Size() != before.Size() {
				t.Error("is another one after it was slimmed twice")
			}
		})
	}
}

func TestACachedSecretTellsWhatIsWantedByNow(t *testing.T) {
	alice := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "u1"}}
	alice.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"team": "a"}
	published := Published{Meta: metadataOf(Wanted{Identity: alice}.metadata())}
	for name, test := range map[string]struct {
		change func(*v1alpha1.SecretTemplate)
		want   bool
	}{
		"nothing changed":       {func(*v1alpha1.SecretTemplate) {}, false},
		"another label":         {func(s *v1alpha1.SecretTemplate) { s.Labels = map[string]v1alpha1.LabelValue{"team": "b"} }, true},
		"no label any more":     {func(s *v1alpha1.SecretTemplate) { s.Labels = nil }, true},
		"an annotation":         {func(s *v1alpha1.SecretTemplate) { s.Annotations = map[string]v1alpha1.AnnotationValue{"a": "b"} }, true},
		"another kubeconfigKey": {func(s *v1alpha1.SecretTemplate) { s.KubeconfigKey = "config" }, true},
	} {
		wanted := alice.DeepCopy()
		test.change(&wanted.Spec.Secret)
		if got := published.drifted(Wanted{Identity: wanted}.metadata(), wanted); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
