// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package fairness

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// What the operator cannot help is that the machine has other work to do: three times as long is that. A worker that is waited for is
// ten times as long, and more.
const (
	fair = 3
	// turns is how much longer it may take where all workers have work: each ends its turn after a moment.
	turns = 30
)

var _ = Describe("A fresh identity is not held up", Ordered, func() {
	var before time.Duration
	BeforeEach(func() { before = alone(sample) })

	Context("by thousands of role bindings", Ordered, func() {
		const namespaces, bindings = 150, 8
		BeforeAll(func() {
			for i := range namespaces {
				Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("many-", i), Labels: map[string]string{"many": "yes"}}})).To(Succeed())
			}
		})
		selecting := func(identity *v1alpha1.ClientIdentity) {
			for i := range bindings {
				identity.Spec.RoleBindings = append(identity.Spec.RoleBindings, v1alpha1.RoleBinding{
					Name: fmt.Sprint("view-", i), RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"},
					NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"many": "yes"}},
				})
			}
		}
		DescribeTable("of", func(identities, times int) {
			all := create(identities, "many", selecting)
			Eventually(func() int32 { return get(all[identities-1]).Status.BoundBindings }).ShouldNot(BeZero(), "they are being bound")
			expectFair(before, times, "bindings are written")
			Expect(get(all[0]).Status.BoundBindings).To(BeNumerically("<", namespaces*bindings), "it has gone on for all that time")
		},
			Entry("one identity", 1, fair),
			Entry("as many identities as there are workers", workers, turns),
		)
	})

	It("by RSA keys of 4096 bits", func() {
		rsa := create(3*workers, "rsa", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.PrivateKey = v1alpha1.PrivateKey{Algorithm: v1alpha1.RSA, Size: 4096}
		})
		expectFair(before, fair, "RSA keys are made")
		Expect(get(rsa[len(rsa)-1])).NotTo(Satisfy(ready), "it has gone on for all that time")
	})

	It("by a signer that nobody serves", func() {
		waiting := create(100, "unserved", func(identity *v1alpha1.ClientIdentity) { identity.Spec.SignerName = unserved })
		expectFair(before, fair, "a hundred wait for a signer")
		Expect(get(waiting[len(waiting)-1])).NotTo(Satisfy(ready), "they wait for a signer")
	})

	It("by one namespace in which no write is answered", func() {
		const namespace = "hanging"
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		release, hanging := network.Hold(func(request *http.Request) bool {
			return request.Method != http.MethodGet && strings.Contains(request.URL.Path, "/namespaces/"+namespace+"/rolebindings")
		})
		DeferCleanup(release)
		bound := create(10*workers, "hanging", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{Name: "view", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "view"}}}
		})
		Eventually(hanging).Should(BeClosed())
		expectFair(before, fair, "writes hang")
		release()
		for _, identity := range bound {
			Eventually(func() *v1alpha1.ClientIdentity { return get(identity) }).Should(Satisfy(ready), "once they are answered")
		}
	})
})
