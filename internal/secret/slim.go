// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/dependent"
)

// droppedAnnotation marks metadata from the cache that is not all of what the API server has. It is never written.
const droppedAnnotation = "clientidentity.dev/dropped"

// keptAnnotations are what is looked at without the content.
var keptAnnotations = []string{v1alpha1.RequestHashAnnotation, v1alpha1.KubeconfigHashAnnotation}

// Slim drops what is not looked at from the metadata of a Secret, for the cache: whoever may create Secrets where they are
// published can give them our labels, and a megabyte of anything else. It leaves a mark where there was more than the operator
// itself writes for every identity: an update has to keep that, and reads it live.
func Slim(meta *metav1.PartialObjectMetadata) {
	own := append([]string{v1alpha1.ManagedMetadataAnnotation}, keptAnnotations...)
	more := has(meta.Annotations, own) || has(meta.Labels, dependent.LabelNames) || len(meta.OwnerReferences) > 1 || len(meta.Finalizers) > 0
	annotations := map[string]string{}
	for _, name := range keptAnnotations {
		if value, ok := meta.Annotations[name]; ok {
			annotations[name] = dependent.Cut(value)
		}
	}
	if more {
		annotations[droppedAnnotation] = "true"
	}
	dependent.Slim(meta)
	meta.SetAnnotations(annotations)
}

// has says whether there is something else in a map than those names.
func has(m map[string]string, but []string) bool {
	for name := range maps.Keys(m) {
		if !slices.Contains(but, name) {
			return true
		}
	}
	return false
}

// dropped says whether metadata from the cache is not all of what the API server has.
func dropped(meta metav1.Object) bool { return meta.GetAnnotations()[droppedAnnotation] != "" }
