// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const crdFile = "../../config/crd/bases/clientidentity.dev_clientidentities.yaml"

// FuzzDecode looks for an object that the schema accepts and the Go types do not decode, or do not write back as the
// schema accepts it. It validates with the API server's own code, in this process, so that go test -fuzz is fast; test/api
// asks a real one.
func FuzzDecode(f *testing.F) {
	schemas := load(f)
	for _, text := range []string{
		`{"metadata":{"name":"a"},"spec":{"username":"alice"}}`,
		`{"spec":{"username":"alice","groups":["a"],"ttl":"1h30m","renewBefore":"1.5s","accessUntil":"2027-01-01T00:00:00.5+05:30"}}`,
		`{"spec":{"username":"alice","renewBeforePercentage":3.3e1,"privateKey":{"size":256.0},"revokeIssuedBefore":"1970-01-01T00:00:00Z"}}`,
		`{"spec":{"username":"alice","accessUntil":["2027-01-01T00:00:00Z"],"kubeconfig":{"certificateAuthorityData":["a"]}}}`,
		`{"spec":{"username":"\ud800","roleBindings":[{"name":"a","namespaceSelector":{"matchExpressions":[{"key":"a","operator":"Exists"}]},"roleRef":{"kind":"Role","name":"a"}}]}}`,
		`{"spec":{"username":"alice","clusterRoleBindings":[{"name":"a","roleRef":{"name":"a"},"validFrom":"9999-12-31T23:59:59Z","validUntil":null}],"secret":{"labels":{"a":"b"}}}}`,
		`{"spec":{"username":"alice","kubeconfig":{"server":"https://a","proxyURL":"socks5://a:1","certificateAuthorityData":"Q0F="}}}`,
		`{"spec":{"username":"alice"},"status":{"observedGeneration":1e19,"boundBindings":4294967296,"certificate":{"requestedTTL":"0.0001s","notAfter":"0000-01-01T00:00:00+23:00"}}}`,
		`{"spec":{"username":"alice"},"status":{"conditions":[{"type":"Ready","status":"True","reason":"A","message":"","lastTransitionTime":"2027-01-01t00:00:00z"}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		stored, ok := schemas.store(text)
		if !ok {
			return
		}
		var identity v1alpha1.ClientIdentity
		if err := json.Unmarshal(stored, &identity); err != nil {
			t.Fatalf("accepted, and does not decode: %v\n%s", err, stored)
		}
		written, err := json.Marshal(identity)
		if err != nil {
			t.Fatalf("accepted, and does not encode: %v\n%s", err, stored)
		}
		if _, ok := schemas.store(written); !ok {
			t.Fatalf("accepted, but not as Go writes it\nsent    %s\nwritten %s", stored, written)
		}
	})
}

// schemas is what an API server makes of our CRD.
type schemas struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

func load(f *testing.F) schemas {
	f.Helper()
	text, err := os.ReadFile(crdFile)
	if err != nil {
		f.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, crd); err != nil {
		f.Fatal(err)
	}
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, props, nil); err != nil {
		f.Fatal(err)
	}
	structural, err := schema.NewStructural(props)
	if err != nil {
		f.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		f.Fatal(err)
	}
	return schemas{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// store returns what an API server would store of a text, and whether it accepts it.
func (s schemas) store(text []byte) ([]byte, bool) {
	var o map[string]any
	if utiljson.Unmarshal(text, &o) != nil || o == nil {
		return nil, false
	}
	for _, part := range []string{"metadata", "apiVersion", "kind"} {
		delete(o, part) // Kubernetes' own: not checked by our schema
	}
	o["metadata"] = map[string]any{"name": "a"}
	pruning.Prune(o, s.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(o, s.structural)
	defaulting.Default(o, s.structural)
	errs := validation.ValidateCustomResource(nil, o, s.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, o)...)
	if len(errs) > 0 {
		return nil, false
	}
	if errs, _ := s.rules.Validate(context.Background(), nil, s.structural, o, nil, celconfig.RuntimeCELCostBudget); len(errs) > 0 {
		return nil, false
	}
	stored, err := json.Marshal(o)
	return stored, err == nil
}
