// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests holds the tests of what config ships that need no cluster.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const root = "../.."

// However the rights are cut into roles, together they are those that the code asks for.
func TestTheOperatorHasTheRightsOfItsMarkersAndNoOther(t *testing.T) {
	wanted := markedRights(t)
	if wanted.Len() == 0 {
		t.Fatal("no RBAC markers found")
	}
	if diff := cmp.Diff(sets.List(wanted), sets.List(boundRights(t))); diff != "" {
		t.Errorf("the code wants (-) and config/rbac gives (+):\n%s", diff)
	}
}

func TestNoOverlayPatchesARuleByItsPosition(t *testing.T) {
	overlays := filepath.Join(root, "config", "overlays")
	files := 0
	err := filepath.WalkDir(overlays, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		if bytes.Contains(read(t, path), []byte("/rules/")) {
			t.Errorf("%s patches a rule by its position in a generated list: replace a role by its name", path)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files in %s: %v", files, overlays, err)
	}
}

// markedRights returns the rights that the markers in the code ask for.
func markedRights(t *testing.T) sets.Set[string] {
	t.Helper()
	rights := sets.New[string]()
	for _, folder := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			for line := range strings.Lines(string(read(t, path))) {
				if marker, found := strings.CutPrefix(strings.TrimSpace(line), "// +kubebuilder:rbac:"); found {
					namespace, rule := parseMarker(marker)
					rights.Insert(rightsOf(namespace, rule)...)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rights
}

func parseMarker(marker string) (string, rbacv1.PolicyRule) {
	fields := map[string][]string{}
	for field := range strings.SplitSeq(marker, ",") {
		key, value, _ := strings.Cut(field, "=")
		fields[key] = strings.Split(strings.Trim(value, `"`), ";")
	}
	return strings.Join(fields["namespace"], ""), rbacv1.PolicyRule{
		APIGroups: fields["groups"], Resources: fields["resources"], ResourceNames: fields["resourceNames"], Verbs: fields["verbs"],
	}
}

// boundRights returns the rights that config/rbac gives to the operator.
func boundRights(t *testing.T) sets.Set[string] {
	t.Helper()
	rules := map[string][]rbacv1.PolicyRule{}
	decode(t, "role.yaml", func(document []byte) {
		var role rbacv1.Role // a ClusterRole has the same fields
		if err := yaml.UnmarshalStrict(document, &role); err != nil {
			t.Fatal(err)
		}
		rules[role.Kind+" "+role.Namespace+"/"+role.Name] = role.Rules
	})
	operator := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "client-identity-system", Name: "client-identity-operator"}
	rights := sets.New[string]()
	decode(t, "role_binding.yaml", func(document []byte) {
		var binding rbacv1.RoleBinding // a ClusterRoleBinding has the same fields
		if err := yaml.UnmarshalStrict(document, &binding); err != nil {
			t.Fatal(err)
		}
		if len(binding.Subjects) != 1 || binding.Subjects[0] != operator {
			t.Errorf("%s %s binds somebody else than the operator", binding.Kind, binding.Name)
		}
		for _, rule := range rules[binding.RoleRef.Kind+" "+binding.Namespace+"/"+binding.RoleRef.Name] {
			rights.Insert(rightsOf(binding.Namespace, rule)...)
		}
	})
	return rights
}

// rightsOf cuts a rule into single rights.
func rightsOf(namespace string, rule rbacv1.PolicyRule) []string {
	scope, names := "in "+namespace, rule.ResourceNames
	if namespace == metav1.NamespaceAll {
		scope = "everywhere"
	}
	if len(names) == 0 {
		names = []string{"of any name"}
	}
	var rights []string
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					rights = append(rights, fmt.Sprintf("%s: %s %s.%s %s", scope, verb, resource, group, name))
				}
			}
		}
	}
	return rights
}

// decode calls a function with each document of a file in config/rbac.
func decode(t *testing.T, name string, each func(document []byte)) {
	t.Helper()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(read(t, filepath.Join(root, "config", "rbac", name)))))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(document)) > 0 {
			each(document)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
