// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/clientidentity/operator/config"
)

// TestTheOldestKubernetes: an API server takes a new rule only where it uses what the API server of one version before knows, too, so that
// it can go back. What each version knows, Kubernetes' own library says.
func TestTheOldestKubernetes(t *testing.T) {
	if err := acceptedBy(t, minimumMinor); err != nil {
		t.Errorf("1.%d does not take what is installed: %v", minimumMinor, err)
	}
	if err := acceptedBy(t, minimumMinor-1); err == nil {
		t.Errorf("1.%d takes what is installed, too: lower minimumMinor", minimumMinor-1)
	}
}

func TestTheChartAndTheGuidesNameTheOldestKubernetes(t *testing.T) {
	for file, want := range map[string]string{
		"charts/client-identity-operator/Chart.yaml": `kubeVersion: ">=1.%d.0-0"`,
		"docs/install.md":          "Kubernetes 1.%d or later",
		"docs/operations.md":       "Kubernetes 1.%d or later",
		"docs/clusters.md":         "Kubernetes 1.%d or later",
		"docs/guides/upgrading.md": "| 1.%d to ",
	} {
		if want = fmt.Sprintf(want, minimumMinor); !strings.Contains(contentOf(t, file), want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

// TestTheVersionsThatAreTested are those that are pinned: make test-kubernetes runs the suites on each.
func TestTheVersionsThatAreTested(t *testing.T) {
	pinned, err := filepath.Glob("../../hack/controlplane/kubernetes-v1.*.mod")
	if err != nil || len(pinned) == 0 {
		t.Fatalf("no versions are pinned: %v", err)
	}
	oldest, newest := 1<<10, 0
	for _, file := range append(pinned, "../../hack/controlplane/go.mod") {
		match := regexp.MustCompile(`(?m)^\s+k8s\.io/kubernetes v1\.(\d+)\.`).FindStringSubmatch(contentOf(t, strings.TrimPrefix(file, "../../")))
		if match == nil {
			t.Fatalf("%s pins no Kubernetes", file)
		}
		minor, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		oldest, newest = min(oldest, minor), max(newest, minor)
	}
	if oldest != testedFrom || newest != testedTo {
		t.Errorf("1.%d to 1.%d are pinned, and preflight says 1.%d to 1.%d", oldest, newest, testedFrom, testedTo)
	}
	if want := fmt.Sprintf("tested on 1.%d to 1.%d", testedFrom, testedTo); !strings.Contains(contentOf(t, "docs/clusters.md"), want) {
		t.Errorf("docs/clusters.md does not say %q", want)
	}
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// acceptedBy returns why an API server of version 1.minor refuses the CRD, the policies or the webhook; nil where it does not.
func acceptedBy(t *testing.T, minor int) error {
	t.Helper()
	known := environment.MustBaseEnvSet(version.MajorMinor(1, uint(minor-1)))
	errs := []error{compileCRD(t, known), compileConditions(t, known)}
	policies := 0
	eachObject(t, func(object *unstructured.Unstructured) {
		if object.GetKind() == "ValidatingAdmissionPolicy" {
			policies++
			errs = append(errs, compilePolicy(t, known, object))
		}
	})
	if policies < 4 {
		t.Fatalf("only %d policies found: have they moved?", policies)
	}
	return errors.Join(errs...)
}

func compileCRD(t *testing.T, known *environment.EnvSet) error {
	t.Helper()
	crd := read[apiextensionsv1.CustomResourceDefinition](t, "crd/bases/clientidentity.dev_clientidentities.yaml")
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &props, nil); err != nil {
		t.Fatal(err)
	}
	root, err := structuralschema.NewStructural(&props)
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	var compile func(s *structuralschema.Structural, isRoot bool) error
	compile = func(s *structuralschema.Structural, isRoot bool) error {
		results, err := schemacel.Compile(s, model.SchemaDeclType(s, isRoot), celconfig.PerCallLimit, known, schemacel.NewExpressionsEnvLoader())
		errs := []error{err}
		for i := range results {
			rules++
			if results[i].Error != nil {
				errs = append(errs, errors.New(s.XValidations[i].Rule+": "+results[i].Error.Detail))
			}
			if results[i].MessageExpressionError != nil {
				errs = append(errs, errors.New(s.XValidations[i].MessageExpression+": "+results[i].MessageExpressionError.Detail))
			}
		}
		for name := range s.Properties {
			property := s.Properties[name]
			errs = append(errs, compile(&property, false))
		}
		if s.Items != nil {
			errs = append(errs, compile(s.Items, false))
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			errs = append(errs, compile(s.AdditionalProperties.Structural, false))
		}
		return errors.Join(errs...)
	}
	err = compile(root, true)
	if rules == 0 {
		t.Fatal("the CRD has no rules: has it moved?")
	}
	return err
}

func compilePolicy(t *testing.T, known *environment.EnvSet, object *unstructured.Unstructured) error {
	t.Helper()
	policy := typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, object)
	compiler, err := admissioncel.NewCompositedCompiler(known)
	if err != nil {
		t.Fatal(err)
	}
	options := admissioncel.OptionalVariableDeclarations{HasAuthorizer: true}
	var errs []error
	note := func(result admissioncel.CompilationResult) {
		if result.Error != nil {
			errs = append(errs, errors.New(policy.Name+": "+result.Error.Detail))
		}
	}
	for i := range policy.Spec.Variables {
		variable := &policy.Spec.Variables[i]
		note(compiler.CompileAndStoreVariable(&validating.Variable{Name: variable.Name, Expression: variable.Expression}, options, environment.NewExpressions))
	}
	for i := range policy.Spec.MatchConditions {
		note(compiler.CompileCELExpression((*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]), options, environment.NewExpressions))
	}
	for i := range policy.Spec.Validations {
		validation := &policy.Spec.Validations[i]
		note(compiler.CompileCELExpression(&validating.ValidationCondition{Expression: validation.Expression}, options, environment.NewExpressions))
		if validation.MessageExpression != "" {
			note(compiler.CompileCELExpression(&validating.MessageExpressionCondition{MessageExpression: validation.MessageExpression}, options, environment.NewExpressions))
		}
	}
	if len(policy.Spec.Validations) == 0 {
		t.Fatalf("%s validates nothing", policy.Name)
	}
	return errors.Join(errs...)
}

func compileConditions(t *testing.T, known *environment.EnvSet) error {
	t.Helper()
	webhook := read[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating_webhook.yaml").Webhooks[0]
	if len(webhook.MatchConditions) == 0 {
		t.Fatal("the webhook has no conditions: have they moved?")
	}
	var errs []error
	for i := range webhook.MatchConditions {
		composited, err := admissioncel.NewCompositedCompiler(known)
		if err != nil {
			t.Fatal(err)
		}
		result := composited.CompileCELExpression((*matchconditions.MatchCondition)(&webhook.MatchConditions[i]), admissioncel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
		if result.Error != nil {
			errs = append(errs, errors.New(result.Error.Detail))
		}
	}
	return errors.Join(errs...)
}

// read returns the first object in a file of the manifests.
func read[T any](t *testing.T, file string) T {
	t.Helper()
	objects, err := decode(config.Manifests, file)
	if err != nil || len(objects) == 0 {
		t.Fatalf("%d objects in %s: %v", len(objects), file, err)
	}
	return typed[T](t, objects[0])
}

func typed[T any](t *testing.T, object *unstructured.Unstructured) T {
	t.Helper()
	var as T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &as); err != nil {
		t.Fatal(err)
	}
	return as
}

// eachObject calls a function with each object in the manifests.
func eachObject(t *testing.T, do func(*unstructured.Unstructured)) {
	t.Helper()
	err := fs.WalkDir(config.Manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		objects, err := decode(config.Manifests, path)
		for _, object := range objects {
			do(object)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
