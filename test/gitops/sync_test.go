// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/argocd"
	"github.com/clientidentity/operator/test/operator"
)

// everything is an identity with all that defaulting, or a normalized form, could change.
const everything = `apiVersion: clientidentity.dev/v1alpha1
kind: ClientIdentity
metadata: {name: everything, labels: {team: a}, annotations: {note: "1"}}
spec:
  username: everything@example.com
  groups: [zebras, apes]
  ttl: 90m
  renewBeforePercentage: 50
  privateKey: {algorithm: RSA}
  bindTo: Credential
  roleBindings:
  - {name: b, namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [b, a]}]}, roleRef: {kind: ClusterRole, name: view}}
  - {name: a, namespace: work, roleRef: {kind: ClusterRole, name: view}, validFrom: "2026-01-01T01:00:00+01:00"}
  clusterRoleBindings:
  - {name: c, roleRef: {name: view}}
  secret: {labels: {team: a}, holderCanRead: true}
  kubeconfig: {}
  accessUntil: "2999-01-01T00:00:00.5+01:00"
  revokeIssuedBefore: "2026-01-01T00:00:00Z"
`

// objectsIn returns the objects of manifests.
func objectsIn(manifests string) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		if len(object.Object) > 0 {
			// As the API server's answers are decoded.
			data, err := object.MarshalJSON()
			Expect(err).NotTo(HaveOccurred())
			Expect(object.UnmarshalJSON(data)).To(Succeed())
			objects = append(objects, object)
		}
	}
}

// kubectl runs kubectl as an administrator with manifests as its input.
func kubectl(manifests string, args ...string) error {
	cmd := exec.CommandContext(ctx, cp.Kubectl(), append([]string{"--kubeconfig", cp.Kubeconfig()}, args...)...)
	cmd.Stdin = strings.NewReader(manifests)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return errors.New(err.Error() + "\n" + out.String())
	}
	return nil
}

var _ = Describe("What a GitOps tool applies", func() {
	DescribeTable("is never shown out of sync",
		func(manifests func() string, keep bool) {
			rendered := manifests()
			if !keep {
				DeferCleanup(func() { Expect(kubectl(rendered, "delete", "--ignore-not-found", "-f", "-")).To(Succeed()) })
			}
			objects := objectsIn(rendered)
			Expect(objects).NotTo(BeEmpty())
			for _, flags := range [][]string{{"--server-side", "--force-conflicts", "--field-manager=argocd-controller"}, {"--server-side=false"}} {
				By("kubectl apply " + flags[0])
				Expect(kubectl(rendered, append([]string{"apply", "-f", "-"}, flags...)...)).To(Succeed())
				for _, desired := range objects {
					live := &unstructured.Unstructured{}
					live.SetGroupVersionKind(desired.GroupVersionKind())
					Expect(admin.Get(ctx, client.ObjectKeyFromObject(desired), live)).To(Succeed())
					Expect(argocd.OutOfSync(desired.Object, live.Object)).To(BeEmpty(), "%s %s", desired.GetKind(), desired.GetName())
				}
				// kubectl reads twice: a status that is written in between is a difference.
				Eventually(func() error { return kubectl(rendered, append([]string{"diff", "-f", "-"}, flags...)...) }).Should(Succeed())
			}
		},
		Entry("the samples", func() string { return render("config/samples") }, false),
		Entry("the samples of delegation", func() string { return render("config/samples/delegation") }, false),
		Entry("an identity with all that defaulting could change", func() string { return everything }, false),
		Entry("the operator itself, but for its webhook, which is another one here", func() string {
			const separator = "---\n"
			return strings.Join(slices.DeleteFunc(strings.Split(render("config/default"), separator), func(object string) bool {
				return strings.Contains(object, "\nkind: ValidatingWebhookConfiguration\n")
			}), separator)
		}, true),
	)
})

// render returns the manifests of a folder.
func render(folder string) string {
	GinkgoHelper()
	manifests, err := operator.Render(ctx, cp, folder)
	Expect(err).NotTo(HaveOccurred())
	return manifests
}

// root returns the root of the repository.
func root() string {
	GinkgoHelper()
	dir, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	return dir
}

// readFile reads a file of the repository.
func readFile(name string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(root(), name))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}
