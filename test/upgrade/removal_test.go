// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

const crd = "clientidentities.clientidentity.dev"

// kubectl runs kubectl as an administrator, in the root directory of the repository.
func (w *world) kubectl(args ...string) error {
	_, err := operator.Kubectl(w, w.cp, nil, args...)
	return err
}

// undeploy runs make undeploy.
func (w *world) undeploy() {
	GinkgoHelper()
	command := exec.CommandContext(w, "make", "undeploy", "KUBECTL="+w.cp.Kubectl())
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECONFIG="+w.cp.Kubeconfig(), "HOME="+w.cp.Dir(), "MAKEFLAGS=")
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

// there says whether an object of a kind exists.
func (w *world) there(apiVersion, kind, name, namespace string) bool {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	err := w.admin.Get(w, client.ObjectKey{Namespace: namespace, Name: name}, object)
	Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
	return err == nil
}

// operates says whether the operator is installed.
func (w *world) operates() bool {
	GinkgoHelper()
	return w.there("apps/v1", "Deployment", name, operator.Namespace)
}

// refused matches the refusal of a deletion that nobody has asked for.
func refused() OmegaMatcher {
	return MatchError(ContainSubstring("annotate it with clientidentity.dev/allow-deletion=true first"))
}

var _ = Describe("Removing the operator", Ordered, func() {
	var (
		w      *world
		before picture
	)

	install := func() {
		GinkgoHelper()
		w.apply()
		for _, object := range [][]string{{"crd", crd}, {"namespace", operator.SecretNamespace}} {
			Eventually(w.kubectl).WithArguments("delete", "--dry-run=server", object[0], object[1]).Should(refused())
		}
	}

	BeforeAll(func() {
		w = begin()
		before = w.take()
		install()
	})

	It("by make undeploy leaves identities and credentials as they are", func() {
		w.undeploy()
		Expect(w.operates()).To(BeFalse())
		Expect(w.changed(before)).To(BeEmpty())
		Expect(w.kubectl("delete", "crd", crd)).To(refused(), "the CRD is still guarded")
	})

	It("by deleting everything that was applied leaves them, too, and says so", func() {
		install()
		Expect(w.kubectl("delete", "-k", fixture.Overlay)).To(And(refused(), MatchError(ContainSubstring(crd)), MatchError(ContainSubstring(operator.SecretNamespace))))
		// kubectl waits for nothing once something was refused.
		Eventually(w.there).WithArguments("v1", "Namespace", operator.Namespace, "").Should(BeFalse())
		Expect(w.changed(before)).To(BeEmpty())
	})

	It("is undone by installing it again", func() {
		install()
		Expect(w.operates()).To(BeTrue())
		p := w.start(current, "--enable-webhooks=false")
		w.eventuallyLed()
		Consistently(w.changed).WithArguments(before).Should(BeEmpty())
		p.stop()
	})

	It("guards the CRD and the namespace against collections, and nothing else", func() {
		definitions := &unstructured.Unstructured{}
		definitions.SetAPIVersion("apiextensions.k8s.io/v1")
		definitions.SetKind("CustomResourceDefinition")
		Expect(w.admin.DeleteAllOf(w, definitions)).To(refused())
		Expect(w.there("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd, "")).To(BeTrue())
		Expect(w.kubectl("create", "namespace", "passing")).To(Succeed())
		Expect(w.kubectl("delete", "namespace", "passing", "--wait=false")).To(Succeed())
		Expect(w.changed(before)).To(BeEmpty())
	})

	It("takes everything along where somebody says so, with the operator gone", func() {
		w.undeploy()
		// By now, the garbage collector knows the CRD.
		Expect(w.cp.WaitForGarbageCollection(w, w.admin, func(name string) client.Object {
			identity := &v1alpha1.ClientIdentity{}
			identity.Name, identity.Spec.Username = name, name
			return identity
		})).To(Succeed())
		copied := w.kubeconfigOf(w.get("carol"))
		Expect(w.kubectl("annotate", "crd", crd, "clientidentity.dev/allow-deletion=true")).To(Succeed())
		Expect(w.kubectl("annotate", "namespace", operator.SecretNamespace, "clientidentity.dev/allow-deletion=true")).To(Succeed())
		Expect(w.kubectl("delete", "-k", "config/crd")).To(Succeed())
		Expect(w.there("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd, "")).To(BeFalse())
		Eventually(w.left).Should(BeEmpty(), "role bindings, Secrets and requests are collected")
		Expect(w.holderOf(copied)).NotTo(ContainSubstring("30 rules"))
		Expect(w.kubectl("delete", "namespace", operator.SecretNamespace)).To(Succeed())
		Eventually(w.there).WithArguments("v1", "Namespace", operator.SecretNamespace, "").Should(BeFalse())
	})
})
