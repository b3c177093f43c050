// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/test/operator"
)

// objects are rendered manifests, by kind, namespace and name.
type objects map[string]*unstructured.Unstructured

// parse returns the objects in a stream of YAML documents, and refuses two of the same name and a key that is there twice.
func parse(manifests string) objects {
	GinkgoHelper()
	found := objects{}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		Expect(err).NotTo(HaveOccurred())
		object := parseDocument(document)
		if len(object.Object) == 0 {
			continue
		}
		Expect(found).NotTo(HaveKey(key(object)), "rendered twice")
		found[key(object)] = object
	}
}

// parsed are documents from before: most are the same in each variant, and the CRD is large.
var parsed = map[string]*unstructured.Unstructured{}

func parseDocument(document []byte) *unstructured.Unstructured {
	GinkgoHelper()
	object, known := parsed[string(document)]
	if !known {
		object = &unstructured.Unstructured{}
		Expect(yaml.UnmarshalStrict(document, &object.Object)).To(Succeed(), string(document))
		parsed[string(document)] = object
	}
	return object.DeepCopy()
}

func key(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GroupVersionKind(), object.GetNamespace(), object.GetName())
}

// kustomized returns the objects of a folder of config.
func kustomized(folder string) objects {
	GinkgoHelper()
	manifests, err := operator.Render(ctx, cp, folder)
	Expect(err).NotTo(HaveOccurred())
	return parse(manifests)
}

// charted returns the objects of the chart.
func charted(args ...string) objects {
	GinkgoHelper()
	manifests, err := cli.Template(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return parse(manifests)
}

// container returns the operator's container.
func container(found objects) map[string]any {
	GinkgoHelper()
	deployment := found["apps/v1, Kind=Deployment client-identity-system/client-identity-operator"]
	Expect(deployment).NotTo(BeNil())
	containers, _, err := unstructured.NestedFieldNoCopy(deployment.Object, "spec", "template", "spec", "containers")
	Expect(err).NotTo(HaveOccurred())
	Expect(containers).To(HaveLen(1))
	return containers.([]any)[0].(map[string]any)
}
