// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/test/helm"
	"github.com/clientidentity/operator/test/operator"
)

// variant is a file with values for the chart, in its folder ci.
type variant struct {
	name, file string
	values     map[string]any
}

// variants returns what the chart is tested with.
func variants() []variant {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(chartFolder(), "ci", "*-values.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(files).NotTo(BeEmpty())
	var found []variant
	for _, file := range files {
		found = append(found, variant{
			name: strings.TrimSuffix(filepath.Base(file), "-values.yaml"), file: file, values: readYAML(file),
		})
	}
	return found
}

func chartFolder() string { return filepath.Join(root(), helm.Chart) }

func readYAML(file string) map[string]any {
	GinkgoHelper()
	content, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	values := map[string]any{}
	Expect(yaml.UnmarshalStrict(content, &values)).To(Succeed(), file)
	return values
}

// closed tells whether a schema takes only the keys that it names.
func closed(schema map[string]any) bool {
	additional, isBool := schema["additionalProperties"].(bool)
	return isBool && !additional
}

// settings returns the paths to all values. What the schema leaves to Kubernetes is one value.
func settings(schema, values map[string]any) [][]string {
	var paths [][]string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		property := schema["properties"].(map[string]any)[name].(map[string]any)
		nested, isMap := values[name].(map[string]any)
		if !isMap || len(nested) == 0 || !closed(property) {
			paths = append(paths, []string{name})
			continue
		}
		for _, path := range settings(property, nested) {
			paths = append(paths, append([]string{name}, path...))
		}
	}
	return paths
}

var _ = Describe("The chart's values", func() {
	var schema, values map[string]any
	BeforeEach(func() {
		schema, values = readYAML(filepath.Join(chartFolder(), "values.schema.json")), readYAML(filepath.Join(chartFolder(), "values.yaml"))
	})

	It("pass Helm's lint in each variant, warnings included", func() {
		for _, v := range variants() {
			out, err := cli.Run(ctx, "lint", "--strict", "--namespace", operator.Namespace, "--values", v.file, helm.Chart)
			Expect(err).NotTo(HaveOccurred(), "%s: %s", v.name, out)
		}
	})

	It("change what is rendered, each of them in some variant", func() {
		tested := variants()
		rendered := map[string]string{}
		for _, v := range tested {
			var err error
			rendered[v.name], err = cli.Template(ctx, "--values", v.file)
			Expect(err).NotTo(HaveOccurred(), v.name)
		}
		for _, path := range settings(schema, values) {
			if !slices.ContainsFunc(tested, func(v variant) bool { return changes(v, path, rendered[v.name]) }) {
				Fail("no variant in " + helm.Chart + "/ci sets " + strings.Join(path, ".") + " so that it changes what is rendered")
			}
		}
	})

	It("are those of the schema", func() {
		expectDescribed(schema, values, "values")
	})
})

// changes tells whether a variant without a value renders something else than with it.
func changes(v variant, path []string, with string) bool {
	GinkgoHelper()
	without := readYAML(v.file)
	if _, found, err := unstructured.NestedFieldNoCopy(without, path...); err != nil || !found {
		return false
	}
	unstructured.RemoveNestedField(without, path...)
	content, err := yaml.Marshal(without)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "values.yaml")
	Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
	manifests, err := cli.Template(ctx, "--values", file)
	// Some values fit only with others, such as the names of roles: that is a change, too.
	return err != nil || manifests != with
}

// undocumented are keys that the schema takes and values.yaml does not have.
var undocumented = map[string][]string{
	"values":           {"global"}, // Helm's own, where the chart is part of another one
	"values.resources": {"claims"},
}

// open are values with keys that are not ours to name.
var open = []string{
	"values.containerSecurityContext", "values.podSecurityContext", "values.resources.limits", "values.resources.requests",
	"values.metrics.dashboard.labels", "values.networkPolicy.metricsNamespaceLabels",
}

// expectDescribed checks that a schema takes the keys that there are, and no other: Helm would accept a value that nothing reads.
func expectDescribed(schema, values map[string]any, path string) {
	GinkgoHelper()
	if len(values) == 0 || slices.Contains(open, path) {
		return
	}
	Expect(closed(schema)).To(BeTrue(), path)
	properties := schema["properties"].(map[string]any)
	Expect(slices.Collect(maps.Keys(properties))).To(ConsistOf(append(slices.Collect(maps.Keys(values)), undocumented[path]...)), path)
	if path != "values.resources" { // nothing is weaker without a request or a limit
		// null takes a default away, in which there may be what keeps somebody out.
		Expect(schema["required"]).To(ConsistOf(slices.Collect(maps.Keys(values))), "required in "+path)
	}
	for name, value := range values {
		if nested, isMap := value.(map[string]any); isMap {
			expectDescribed(properties[name].(map[string]any), nested, path+"."+name)
		}
	}
}
