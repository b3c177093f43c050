// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Where the manifests put the operator, its Secrets, and whom they let it ask.
const (
	shippedNamespace       = "client-identity-system"
	shippedSecretNamespace = "client-identities"
	shippedSigner          = "kubernetes.io/kube-apiserver-client"
	everywhere             = "*"
)

// Right is something that one must be allowed to do.
type Right struct {
	// Namespace is where; empty means in the whole cluster.
	Namespace string `json:"namespace,omitempty"`
	APIGroup  string `json:"apiGroup"`
	// Resource may have a subresource, after a slash.
	Resource string `json:"resource"`
	// Name is the one object that it is about; empty means any.
	Name string `json:"name,omitempty"`
	Verb string `json:"verb"`
}

func (r Right) String() string {
	what := r.Resource
	if r.APIGroup != "" {
		resource, subresource, _ := strings.Cut(r.Resource, "/")
		what = resource + "." + r.APIGroup
		if subresource != "" {
			what += "/" + subresource
		}
	}
	if r.Name != "" {
		what += " " + r.Name
	}
	if r.Namespace != "" {
		what += " in " + r.Namespace
	}
	return r.Verb + " " + what
}

func (r Right) compare(other Right) int {
	return cmp.Or(cmp.Compare(r.Namespace, other.Namespace), cmp.Compare(r.APIGroup, other.APIGroup),
		cmp.Compare(r.Resource, other.Resource), cmp.Compare(r.Name, other.Name), cmp.Compare(r.Verb, other.Verb))
}

// place is where the operator is, where its Secrets are, and whom it asks.
type place struct {
	namespace        string
	secretNamespaces []string
	signers          []string
}

// operatorRights returns the rights that the manifests give to the operator, at a place of its own, in order.
func operatorRights(manifests fs.FS, at place) ([]Right, error) {
	var roles, bindings []*unstructured.Unstructured
	for name, found := range map[string]*[]*unstructured.Unstructured{"rbac/role.yaml": &roles, "rbac/role_binding.yaml": &bindings} {
		objects, err := decode(manifests, name)
		if err != nil {
			return nil, err
		}
		*found = objects
	}
	var rights []Right
	for _, binding := range bindings {
		name, _, err := unstructured.NestedString(binding.Object, "roleRef", "name")
		if err != nil {
			return nil, err
		}
		kind, _, _ := unstructured.NestedString(binding.Object, "roleRef", "kind")
		for _, role := range roles {
			if role.GetName() != name || role.GetKind() != kind || role.GetNamespace() != binding.GetNamespace() {
				continue
			}
			given, err := rightsOf(role)
			if err != nil {
				return nil, err
			}
			for _, right := range given {
				rights = append(rights, at.move(right)...)
			}
		}
	}
	slices.SortFunc(rights, Right.compare)
	return slices.Compact(rights), nil
}

// rightsOf cuts the rules of a role into single rights.
func rightsOf(role *unstructured.Unstructured) ([]Right, error) {
	var rules struct {
		Rules []rbacv1.PolicyRule `json:"rules"`
	}
	content, err := yaml.Marshal(role.Object)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(content, &rules); err != nil {
		return nil, fmt.Errorf("%s %s: %w", role.GetKind(), role.GetName(), err)
	}
	rights := rightsOfRules(rules.Rules)
	for i := range rights {
		rights[i].Namespace = role.GetNamespace()
	}
	return rights, nil
}

// rightsOfRules cuts rules into single rights.
func rightsOfRules(rules []rbacv1.PolicyRule) []Right {
	var rights []Right
	for _, rule := range rules {
		for _, url := range rule.NonResourceURLs {
			for _, verb := range rule.Verbs {
				rights = append(rights, Right{Resource: url, Verb: verb})
			}
		}
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						rights = append(rights, Right{APIGroup: group, Resource: resource, Name: name, Verb: verb})
					}
				}
			}
		}
	}
	return rights
}

// move returns a right of the manifests as it is needed at this place.
func (at place) move(right Right) []Right {
	if right.Resource == "signers" && right.Name == shippedSigner {
		return each(at.signers, func(signer string) Right { right.Name = signer; return right })
	}
	switch right.Namespace {
	case shippedNamespace:
		right.Namespace = at.namespace
	case shippedSecretNamespace:
		if slices.Equal(at.secretNamespaces, []string{everywhere}) {
			right.Namespace = ""
			return []Right{right}
		}
		return each(at.secretNamespaces, func(namespace string) Right { right.Namespace = namespace; return right })
	}
	return []Right{right}
}

// each returns a right for each name.
func each(names []string, right func(name string) Right) []Right {
	rights := make([]Right, 0, len(names))
	for _, name := range names {
		rights = append(rights, right(name))
	}
	return rights
}

// installRights returns what kubectl apply needs for the objects in the manifests, at a place.
func installRights(manifests fs.FS, at place) ([]Right, error) {
	var rights []Right
	err := fs.WalkDir(manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		objects, err := decode(manifests, path)
		if err != nil {
			return err
		}
		for _, object := range objects {
			gvk := object.GroupVersionKind()
			if gvk.Kind == "Kustomization" {
				continue
			}
			resource, _ := meta.UnsafeGuessKindToResource(gvk)
			for _, verb := range []string{"get", "create", "patch"} {
				right := Right{Namespace: object.GetNamespace(), APIGroup: gvk.Group, Resource: resource.Resource, Verb: verb}
				rights = append(rights, at.move(right)...)
			}
		}
		return nil
	})
	slices.SortFunc(rights, Right.compare)
	return slices.Compact(rights), err
}

// decode returns the objects in a file.
func decode(manifests fs.FS, name string) ([]*unstructured.Unstructured, error) {
	content, err := fs.ReadFile(manifests, name)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(object) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: object})
		}
	}
}
