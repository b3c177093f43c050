// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("What Artifact Hub shows of the chart", func() {
	var annotations map[string]any
	BeforeEach(func() {
		annotations = readYAML(filepath.Join(chartFolder(), "Chart.yaml"))["annotations"].(map[string]any)
	})
	// only returns the one element of a list in an annotation.
	only := func(name string) map[string]any {
		var list []map[string]any
		Expect(yaml.Unmarshal([]byte(annotations["artifacthub.io/"+name].(string)), &list)).To(Succeed())
		Expect(list).To(HaveLen(1))
		return list[0]
	}

	It("is the image that is deployed", func() {
		Expect(only("images")["image"]).To(Equal(container(kustomized("config/default"))["image"]))
	})

	It("is the CRD that is installed, in the version that is stored, with an example of it", func() {
		crd := kustomized("config/crd")["apiextensions.k8s.io/v1, Kind=CustomResourceDefinition /"+crdName]
		kind, _, err := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		Expect(err).NotTo(HaveOccurred())
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		Expect(err).NotTo(HaveOccurred())
		shown := only("crds")
		Expect(shown).To(And(HaveKeyWithValue("kind", kind), HaveKeyWithValue("name", crdName)))
		Expect(versions).To(ContainElement(And(HaveKeyWithValue("name", shown["version"]), HaveKeyWithValue("storage", true))))
		example := &v1alpha1.ClientIdentity{}
		content, err := yaml.Marshal(only("crdsExamples"))
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.UnmarshalStrict(content, example)).To(Succeed())
		Expect(example.GroupVersionKind()).To(Equal(v1alpha1.GroupVersion.WithKind(kind)))
	})
})
