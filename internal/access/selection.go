// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// LabelsOf returns what namespaces are found by that have those labels: each label, and each of their names.
func LabelsOf(all map[string]string) []string {
	found := make([]string, 0, 2*len(all))
	for name, value := range all {
		found = append(found, name, name+"="+value)
	}
	return found
}

// LabelsFor returns labels, of which every namespace that a selector selects has one, as LabelsOf returns them; nil where it may select
// one with any labels, or none at all. So whoever looks for what a selector selects does not look at all there is.
func LabelsFor(s *v1alpha1.NamespaceSelector) []string {
	if s == nil {
		return nil
	}
	if name, ok := s.MatchLabels[corev1.LabelMetadataName]; ok {
		return []string{corev1.LabelMetadataName + "=" + string(name)}
	}
	if len(s.MatchLabels) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(s.MatchLabels)))
		return []string{first + "=" + string(s.MatchLabels[first])}
	}
	var exists []string
	for _, r := range s.MatchExpressions {
		switch metav1.LabelSelectorOperator(r.Operator) {
		case metav1.LabelSelectorOpIn:
			var labelled []string
			for _, value := range r.Values {
				labelled = append(labelled, r.Key+"="+string(value))
			}
			return labelled
		case metav1.LabelSelectorOpExists:
			exists = []string{r.Key}
		}
	}
	return exists
}

// SelectionChanges says whether a selector of an identity selects a namespace after something happened to it, and did not before, or
// the other way round. Nil is a namespace that is not there.
func SelectionChanges(id *v1alpha1.ClientIdentity, before, after *Namespace) bool {
	return slices.ContainsFunc(id.Spec.RoleBindings, func(b v1alpha1.RoleBinding) bool {
		if b.NamespaceSelector == nil {
			return false
		}
		selector, err := asSelector(b.NamespaceSelector)
		selects := func(ns *Namespace) bool {
			return ns != nil && !ns.Terminating && selector.Matches(labels.Set(ns.Labels))
		}
		return err == nil && selects(before) != selects(after)
	})
}
