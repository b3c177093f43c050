// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var (
	// fieldInLua is a field of the object that a script reads or sets, and conditionInLua a condition that it reads.
	fieldInLua      = regexp.MustCompile(`\bobj\.((?:spec|status)(?:\.\w+)*)`)
	conditionInLua  = regexp.MustCompile(`\bconditions\.(\w+)`)
	annotationInLua = regexp.MustCompile(`annotations\["([^"]+)"\]`)
	// valueInLua is a value that a field is set to or compared with.
	valueInLua = regexp.MustCompile(`\bobj\.(spec\.\w+) *(?:[=~]=|=) *"(\w+)"`)
)

func TestScriptsNameWhatExists(t *testing.T) {
	var crd apiextensionsv1.CustomResourceDefinition
	decode(t, root+"/config/crd/bases/clientidentity.dev_clientidentities.yaml", &crd)
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	conditions := constants(t, "conditions.go", "Condition")
	annotations := constants(t, "wellknown.go", "RenewRequestedAtAnnotation")
	fields := 0
	for _, file := range luaFiles(t) {
		script := read(t, file)
		for _, match := range fieldInLua.FindAllStringSubmatch(script, -1) {
			fields++
			if property(schema, match[1]) == nil {
				t.Errorf("%s: obj.%s does not exist", file, match[1])
			}
		}
		for _, match := range conditionInLua.FindAllStringSubmatch(script, -1) {
			if !slices.Contains(conditions, match[1]) {
				t.Errorf("%s: there is no condition %s", file, match[1])
			}
		}
		for _, match := range annotationInLua.FindAllStringSubmatch(script, -1) {
			if !slices.Contains(annotations, match[1]) {
				t.Errorf("%s: there is no annotation %s", file, match[1])
			}
		}
		for _, match := range valueInLua.FindAllStringSubmatch(script, -1) {
			if p := property(schema, match[1]); p == nil || !slices.ContainsFunc(p.Enum, func(value apiextensionsv1.JSON) bool {
				return string(value.Raw) == strconv.Quote(match[2])
			}) {
				t.Errorf("%s: obj.%s is never %q", file, match[1], match[2])
			}
		}
	}
	if fields < 5 || len(conditions) < 5 || len(annotations) != 1 {
		t.Errorf("found %d fields in the scripts, the conditions %q and the annotations %q", fields, conditions, annotations)
	}
}

// property returns the schema of the field at a path, or nil.
func property(schema *apiextensionsv1.JSONSchemaProps, path string) *apiextensionsv1.JSONSchemaProps {
	for name := range strings.SplitSeq(path, ".") {
		next, ok := schema.Properties[name]
		if !ok {
			return nil
		}
		schema = &next
	}
	return schema
}

// constants returns the values of the constants in a file of the API whose name begins so.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), root+"/api/v1alpha1/"+file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

// TestSamplesNameWhatExists decodes the identities of the samples: a field that is not in the API is an error.
func TestSamplesNameWhatExists(t *testing.T) {
	found := 0
	err := filepath.WalkDir(root+"/config/samples", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for document := range strings.SplitSeq(read(t, path), "\n---\n") {
			if !strings.Contains(document, "\nkind: ClientIdentity\n") {
				continue
			}
			found++
			if err := yaml.UnmarshalStrict([]byte(document), &v1alpha1.ClientIdentity{}); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	})
	if err != nil || found < 2 {
		t.Errorf("%d identities in the samples: %v", found, err)
	}
}
