// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/clientidentity/operator/test/helm"
)

// What follows is all that the chart may say otherwise than config.
const (
	managedBy = "app.kubernetes.io/managed-by" // kustomize, or Helm
	keepKey   = "helm.sh/resource-policy"      // on the namespace of the credentials: make undeploy keeps it by its label
)

// helmLabels are the labels that the chart adds to each object.
var helmLabels = []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart"}

// withoutHelm takes from the chart's objects what config does not have, having seen that it is there.
func withoutHelm(charted objects) objects {
	GinkgoHelper()
	for key, object := range charted {
		labels := object.GetLabels()
		for _, label := range helmLabels {
			Expect(labels).To(HaveKey(label), key)
			delete(labels, label)
		}
		Expect(labels).To(HaveKeyWithValue(managedBy, "Helm"), key)
		labels[managedBy] = "kustomize"
		object.SetLabels(labels)
		if object.GetKind() == "Namespace" && object.GetName() == "client-identities" {
			Expect(object.GetAnnotations()).To(HaveKeyWithValue(keepKey, "keep"))
			unstructured.RemoveNestedField(object.Object, "metadata", "annotations")
		}
	}
	return charted
}

// expectSame compares objects field by field.
func expectSame(want, got objects, of string) {
	GinkgoHelper()
	Expect(want).NotTo(BeEmpty())
	Expect(slices.Collect(maps.Keys(got))).To(ConsistOf(slices.Collect(maps.Keys(want))), of)
	for key, object := range want {
		if diff := cmp.Diff(object, got[key]); diff != "" {
			Fail("config (-) and " + of + " (+) differ in " + key + ":\n" + diff)
		}
	}
}

var _ = Describe("config and the chart agree", func() {
	It("on everything that config/default installs", func() {
		expectSame(kustomized("config/default"), withoutHelm(charted("--set", "namespace.create=true")), "the chart")
	})

	It("without the namespace of the release, which helm install --create-namespace makes", func() {
		want := kustomized("config/default")
		delete(want, "/v1, Kind=Namespace /client-identity-system")
		expectSame(want, withoutHelm(charted()), "the chart")
	})

	It("on each overlay", func() {
		overlays, err := os.ReadDir(filepath.Join(root(), "config", "overlays"))
		Expect(err).NotTo(HaveOccurred())
		Expect(overlays).NotTo(BeEmpty())
		for _, overlay := range overlays {
			file := filepath.Join(helm.Chart, "ci", overlay.Name()+"-values.yaml")
			expectSame(kustomized("config/overlays/"+overlay.Name()), withoutHelm(charted("--set", "namespace.create=true", "--values", file)), file)
		}
	})

	It("on what is not part of config/default", func() {
		for variant, folders := range map[string][]string{
			"monitoring":     {"config/default", "config/prometheus", "config/grafana"},
			"network-policy": {"config/default", "config/network-policy"},
		} {
			want := objects{}
			for _, folder := range folders {
				maps.Copy(want, kustomized(folder))
			}
			file := filepath.Join(helm.Chart, "ci", variant+"-values.yaml")
			expectSame(want, withoutHelm(charted("--set", "namespace.create=true", "--values", file)), file)
		}
	})
})
