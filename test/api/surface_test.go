// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestMetadataName(t *testing.T) {
	for name, wanted := range map[string]want{
		strings.Repeat("a", 63): nil,
		"a.b-c":                 nil,
		strings.Repeat("a", 64): {"<nil>: Invalid value: metadata.name must be at most 63 characters, so that it fits a label"},
		"Alice":                 {`metadata.name: Invalid value: "Alice": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(encode(t, identity(t, name, "")))
			expect(t, refusals(t, err), wanted)
		})
	}
}

func TestDefaults(t *testing.T) {
	g := NewWithT(t)
	o := identity(t, "defaults", "")
	o["status"] = object{"observedGeneration": 7, "groupList": "a"} // only the operator writes status
	body, err := create(encode(t, o))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(raw.Delete().Resource(resource).Name("defaults").Do(ctx).Error()).To(Succeed()) })

	var got struct {
		Spec, Status json.RawMessage
	}
	g.Expect(json.Unmarshal(body, &got)).To(Succeed())
	g.Expect(got.Spec).To(MatchJSON(`{
		"username": "alice", "ttl": "2160h", "signerName": "kubernetes.io/kube-apiserver-client", "bindTo": "Username", "state": "Active",
		"privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"}, "secret": {"kubeconfigKey": "kubeconfig"}
	}`))
	g.Expect(got.Status).To(MatchJSON(`{"observedGeneration": -1, "state": "Pending"}`))
}

func TestDefaultsOfWhatIsHalfSet(t *testing.T) {
	g := NewWithT(t)
	body, err := dryCreate(encode(t, identity(t, "alice", `{privateKey: {algorithm: RSA}, secret: {name: a}, ttl: null, groups: null, kubeconfig: null, state: null}`)))
	g.Expect(err).NotTo(HaveOccurred())
	var got struct{ Spec json.RawMessage }
	g.Expect(json.Unmarshal(body, &got)).To(Succeed())
	g.Expect(got.Spec).To(MatchJSON(`{
		"username": "alice", "ttl": "2160h", "signerName": "kubernetes.io/kube-apiserver-client", "bindTo": "Username", "state": "Active",
		"privateKey": {"algorithm": "RSA", "rotationPolicy": "Always"}, "secret": {"kubeconfigKey": "kubeconfig", "name": "a"}
	}`))
}

func TestColumns(t *testing.T) {
	g := NewWithT(t)
	stored(t, "columns", `{username: alice@example.com, groups: [a, b], accessUntil: "2027-06-01T00:00:00Z"}`)
	o := resourceVersioned(t, identity(t, "columns", ``))
	o["status"] = object{
		"observedGeneration": 1, "groupList": "a,b",
		"state": "AtRisk", "stateReason": "Denied",
		"certificate": object{
			"notAfter": "2027-03-01T00:00:00Z", "renewalTime": "2027-02-01T00:00:00Z", "issuer": "CN=client-ca", "serialNumber": "0abc",
		},
		"secretRef": object{"namespace": "client-identities", "name": "columns-kubeconfig"},
	}
	_, err := update("columns", "status", encode(t, o))
	g.Expect(err).NotTo(HaveOccurred())

	for _, test := range []struct {
		args []string
		want [][]string
	}{
		{[]string{"get", "cid", "columns"}, [][]string{
			{"NAME", "USER", "STATE", "CERT-EXPIRES", "RENEWS", "SECRET", "AGE"},
			{"columns", "alice@example.com", "AtRisk", "2027-03-01T00:00:00Z", "2027-02-01T00:00:00Z", "columns-kubeconfig", "AGE"},
		}},
		{[]string{"get", "clientidentity", "columns", "-o", "wide"}, [][]string{
			{"NAME", "USER", "STATE", "CERT-EXPIRES", "RENEWS", "SECRET", "AGE", "GROUPS", "ACCESS-UNTIL", "ISSUER", "SERIAL", "REASON"},
			{
				"columns", "alice@example.com", "AtRisk", "2027-03-01T00:00:00Z", "2027-02-01T00:00:00Z", "columns-kubeconfig", "AGE",
				"a,b", "2027-06-01T00:00:00Z", "CN=client-ca", "0abc", "Denied",
			},
		}},
	} {
		out, err := kubectl(test.args...)
		g.Expect(err).NotTo(HaveOccurred(), out)
		age := regexp.MustCompile(`^\d+[smh]$`)
		var got [][]string
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			for i := range fields {
				fields[i] = age.ReplaceAllString(fields[i], "AGE")
			}
			got = append(got, fields)
		}
		g.Expect(got).To(Equal(test.want), out)
	}
}

func TestCustomResourceDefinition(t *testing.T) {
	g := NewWithT(t)
	out, err := kubectl("get", "crd", "clientidentities.clientidentity.dev", "-o", "json")
	g.Expect(err).NotTo(HaveOccurred(), out)
	var crd struct {
		Metadata struct{ Annotations map[string]string }
		Spec     struct {
			Scope string
			Names struct{ ShortNames []string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	g.Expect(json.Unmarshal([]byte(out), &crd)).To(Succeed())
	g.Expect(crd.Spec.Scope).To(Equal("Cluster"))
	g.Expect(crd.Spec.Names.ShortNames).To(ConsistOf("cid"))
	for name, value := range map[string]string{ // deleting the CRD would delete every identity
		"helm.sh/resource-policy":           "keep",
		"argocd.argoproj.io/sync-options":   "Prune=false,Delete=false",
		"kustomize.toolkit.fluxcd.io/prune": "disabled",
	} {
		g.Expect(crd.Metadata.Annotations).To(HaveKeyWithValue(name, value))
	}
	conditions := map[string]string{}
	for _, c := range crd.Status.Conditions {
		conditions[c.Type] = c.Status
	}
	g.Expect(conditions).To(Equal(map[string]string{"NamesAccepted": "True", "Established": "True"}), "no NonStructuralSchema, no violation")
}

// node is a field in what kubectl explain reads.
type node struct {
	Description          string          `json:"description"`
	Type                 string          `json:"type"`
	Properties           map[string]node `json:"properties"`
	Items                *node           `json:"items"`
	AdditionalProperties *node           `json:"additionalProperties"`
	MaxLength            *int            `json:"maxLength"`
	MaxItems             *int            `json:"maxItems"`
	MaxProperties        *int            `json:"maxProperties"`
	Enum                 []any           `json:"enum"`
	ListType             string          `json:"x-kubernetes-list-type"`
	Format               string          `json:"format"`
	Required             []string        `json:"required"`
}

// openAPI returns the root of what the API server publishes of our schema.
func openAPI(t *testing.T) node {
	t.Helper()
	var body []byte
	NewWithT(t).Eventually(func() (err error) { // it is published some time after the CRD is established
		body, err = raw.Get().AbsPath("/openapi/v3/apis/clientidentity.dev/v1alpha1").SetHeader("Accept", "application/json").DoRaw(ctx)
		return err
	}, "30s", "50ms").Should(Succeed())
	var document struct {
		Components struct{ Schemas map[string]node }
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	return document.Components.Schemas["dev.clientidentity.v1alpha1.ClientIdentity"]
}

func TestEveryFieldIsExplainedAndBounded(t *testing.T) {
	g := NewWithT(t)
	root := openAPI(t)
	fields := map[string]node{}
	for _, part := range []string{"spec", "status"} {
		collect(fields, part, root.Properties[part])
	}
	g.Expect(len(fields)).To(BeNumerically(">", 90), "fields found")
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		field := fields[path]
		name := path[strings.LastIndex(path, ".")+1:]
		if !strings.HasPrefix(field.Description, name+" ") || len(field.Description) < len(name)+10 {
			t.Errorf("%s: the description does not begin with its name: %q", path, field.Description)
		}
		if path == "status.conditions.lastTransitionTime" {
			continue // of Kubernetes: no length, but a time
		}
		for _, problem := range unbounded(field) {
			t.Errorf("%s: %s", path, problem)
		}
	}

	out, err := kubectl("explain", "cid.spec.ttl")
	g.Expect(err).NotTo(HaveOccurred(), out)
	g.Expect(out).To(ContainSubstring("ttl is the lifetime asked of the signer"))
}

// collect adds the field at a path and all below it.
func collect(fields map[string]node, path string, field node) {
	fields[path] = field
	for _, inner := range []*node{&field, field.Items} {
		if inner == nil {
			continue
		}
		for name, child := range inner.Properties {
			collect(fields, path+"."+name, child)
		}
	}
}

// unbounded returns what a field lacks: a list a maximum and a type, a map a maximum, a text a length.
func unbounded(field node) (problems []string) {
	if field.Items != nil {
		if field.MaxItems == nil || field.ListType == "" {
			problems = append(problems, "a list without a maximum or a list type")
		}
		problems = append(problems, unbounded(*field.Items)...)
	}
	if field.AdditionalProperties != nil {
		if field.MaxProperties == nil {
			problems = append(problems, "a map without a maximum")
		}
		problems = append(problems, unbounded(*field.AdditionalProperties)...)
	}
	if field.Type == "string" && field.MaxLength == nil && len(field.Enum) == 0 {
		problems = append(problems, fmt.Sprintf("a text without a length: %.60s", field.Description))
	}
	return problems
}
