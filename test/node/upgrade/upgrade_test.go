// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

var _ = Describe("From pods of the release before to pods of this one", func() {
	It("leaves every credential as it is, and goes on from there", func() {
		node.RolledOut()
		Expect(images()).To(HaveLen(2))
		Expect(images()).To(HaveEach(HaveSuffix(":" + release.Release)))
		before := credentials()
		ready := readyOnes()
		Expect(len(ready)).To(BeNumerically(">=", 10))

		node.Kubectl("apply", "-k", fixture.Overlay)
		node.RolledOut()
		Eventually(images).Should(And(HaveLen(2), HaveEach(Not(HaveSuffix(":"+release.Release)))))
		Consistently(credentials, "5s").Should(Equal(before))
		Expect(node.Problems()).To(BeEmpty(), "nothing that is normal is an error")

		By("asking for one more, and renewing one of those that were there")
		fresh := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: "fresh"}, Spec: v1alpha1.ClientIdentitySpec{Username: "fresh"}}
		Expect(node.Admin.Create(node.Context, fresh)).To(Succeed())
		node.Kubectl("wait", "--for=condition=Ready", "--timeout=2m", "clientidentity/fresh")
		renewed := ready[0]
		node.Kubectl("annotate", "clientidentity", renewed.Name, v1alpha1.RenewRequestedAtAnnotation+"=now")
		Eventually(func() int64 {
			Expect(node.Admin.Get(node.Context, client.ObjectKeyFromObject(&renewed), &renewed)).To(Succeed())
			return renewed.Status.Certificate.Revision
		}).Should(Equal(ready[0].Status.Certificate.Revision + 1))
		Expect(holder(kubeconfigOf(renewed))).To(HavePrefix(renewed.Spec.Username + " "))
	})
})

// credentials are what people hold and what it gives them: the versions of Secrets, Roles and bindings, and whom the API server takes
// the holder of each kubeconfig for, those included that were replaced.
func credentials() map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Secret"), rbac.WithKind("Role"), rbac.WithKind("RoleBinding"), rbac.WithKind("ClusterRoleBinding"),
	} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		Expect(node.Admin.List(node.Context, list, client.HasLabels{v1alpha1.IdentityLabel})).To(Succeed())
		Expect(list.Items).NotTo(BeEmpty(), kind.Kind)
		for _, item := range list.Items {
			found[fmt.Sprintf("%s %s/%s", kind.Kind, item.Namespace, item.Name)] = fmt.Sprintf("UID %s, version %s", item.UID, item.ResourceVersion)
		}
	}
	for _, identity := range readyOnes() {
		found["holder of "+identity.Name] = holder(kubeconfigOf(identity))
	}
	for i, kept := range release.Copies {
		found[fmt.Sprintf("holder of copy %d, of %s", i, kept.Identity)] = holder(kept.Kubeconfig)
	}
	return found
}

func readyOnes() []v1alpha1.ClientIdentity {
	GinkgoHelper()
	list := &v1alpha1.ClientIdentityList{}
	Expect(node.Admin.List(node.Context, list)).To(Succeed())
	return slices.DeleteFunc(list.Items, func(identity v1alpha1.ClientIdentity) bool { return identity.Status.State != v1alpha1.ObservedReady })
}

func kubeconfigOf(identity v1alpha1.ClientIdentity) []byte {
	GinkgoHelper()
	secret, ref := &corev1.Secret{}, identity.Status.SecretRef
	Expect(node.Admin.Get(node.Context, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
	return secret.Data[identity.Spec.Secret.KubeconfigKey]
}

// holder is whom the API server takes the holder of a kubeconfig for.
func holder(kubeconfig []byte) string {
	GinkgoHelper()
	connection, err := fixture.ConnectionOf(kubeconfig, server)
	Expect(err).NotTo(HaveOccurred())
	user, err := operator.WhoAmI(node.Context, connection)
	Expect(err).NotTo(HaveOccurred())
	slices.Sort(user.Groups)
	return fmt.Sprintf("%s %v", user.Username, user.Groups)
}

// images are those of the operator's pods.
func images() []string {
	GinkgoHelper()
	var found []string
	for _, pod := range node.OperatorPods() {
		found = append(found, pod.Spec.Containers[0].Image)
	}
	return found
}
