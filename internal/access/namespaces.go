// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// Namespace is what is known of a namespace that exists.
type Namespace struct {
	Name   string
	Labels map[string]string
	// Terminating says that it is being deleted: nothing can be created in it.
	Terminating bool
}

// Gap is a role binding that cannot be placed.
type Gap struct {
	// Binding is the name of the role binding in the spec.
	Binding string
	// Namespace is the one that it waits for; empty where the spec names none.
	Namespace string
	// Message says why, and what to do about it.
	Message string
}

// String returns the message.
func (g Gap) String() string { return g.Message }

// places finds the namespaces of role bindings.
type places struct {
	all       []Namespace
	byName    map[string]Namespace
	protected sets.Set[string]
}

func newPlaces(namespaces []Namespace, protected sets.Set[string]) places {
	p := places{all: namespaces, byName: make(map[string]Namespace, len(namespaces)), protected: protected}
	for _, ns := range namespaces {
		p.byName[ns.Name] = ns
	}
	return p
}

// of returns the namespaces of a role binding, in no order, or why it has none. A selector that selects
// nothing yet is no gap. No namespace returned is empty: that would be a cluster-wide grant.
func (p places) of(b *v1alpha1.RoleBinding) ([]string, *Gap) {
	if b.Namespace != "" {
		return p.named(b)
	}
	selector, err := asSelector(b.NamespaceSelector)
	if err != nil {
		return nil, &Gap{Binding: b.Name, Message: fmt.Sprintf("role binding %q selects no namespace: %v", b.Name, err)}
	}
	var chosen []string
	for _, ns := range p.all {
		// What a selector selects follows labels, which many may set. Namespaces whose content would hand
		// over the cluster, or the keys of every identity, must be asked for by name.
		if ns.Name == metav1.NamespaceSystem || p.protected.Has(ns.Name) || ns.Terminating {
			continue
		}
		if selector.Matches(labels.Set(ns.Labels)) {
			chosen = append(chosen, ns.Name)
		}
	}
	return chosen, nil
}

func (p places) named(b *v1alpha1.RoleBinding) ([]string, *Gap) {
	ns, exists := p.byName[b.Namespace]
	switch {
	case !exists:
		return nil, &Gap{Binding: b.Name, Namespace: b.Namespace, Message: fmt.Sprintf(
			"role binding %q waits for namespace %q, which does not exist: create it or remove the binding", b.Name, b.Namespace)}
	case ns.Terminating:
		return nil, &Gap{Binding: b.Name, Namespace: b.Namespace, Message: fmt.Sprintf(
			"role binding %q waits for namespace %q, which is being deleted: create it again or remove the binding", b.Name, b.Namespace)}
	}
	return []string{b.Namespace}, nil
}

// asSelector converts a selector. The schema refuses none and an empty one; both are errors here too,
// since the latter would match every namespace.
func asSelector(s *v1alpha1.NamespaceSelector) (labels.Selector, error) {
	if s == nil {
		return nil, errors.New("set namespace or namespaceSelector")
	}
	if len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 {
		return nil, errors.New("namespaceSelector must not be empty")
	}
	converted := metav1.LabelSelector{MatchLabels: make(map[string]string, len(s.MatchLabels))}
	for key, value := range s.MatchLabels {
		converted.MatchLabels[key] = string(value)
	}
	for _, r := range s.MatchExpressions {
		values := make([]string, len(r.Values))
		for i, value := range r.Values {
			values[i] = string(value)
		}
		converted.MatchExpressions = append(converted.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: values,
		})
	}
	selector, err := metav1.LabelSelectorAsSelector(&converted)
	if err != nil {
		return nil, fmt.Errorf("namespaceSelector cannot be used: %w", err)
	}
	return selector, nil
}
