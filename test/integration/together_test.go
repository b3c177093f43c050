// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("Many identities that lose their access at once", Serial, func() {
	It("share few looks at the bindings of others, and each is told what is right for it", func() {
		const many, everyFourth = 64, 4
		namespace, team := createNamespace("together", nil), uniqueName("together")
		byTeam := allBinding(team, "view", groupSubject(team))
		create(byTeam)
		var names []string
		for range many {
			name := uniqueName("together")
			names = append(names, name)
			create(newIdentity(name, boundIn(namespace, "view"), func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Groups = []string{team}
				if len(names)%everyFourth == 0 {
					identity.Spec.BindTo, identity.Spec.Groups = v1alpha1.BindToCredential, nil
				}
			}))
		}
		byUser := map[string]string{}
		for i, name := range names {
			eventuallyReady(name)
			if i%everyFourth == 0 {
				binding := devBinding(name, namespace, "edit", user("somebody"), user("else"), user("many"), user("more"), user(name+"@example.com"))
				binding.Name = name + "-by-user"
				create(binding)
				byUser[name] = binding.Name
			}
		}
		from := whenQuiet()
		var all sync.WaitGroup
		for i, name := range names {
			all.Go(func() {
				defer GinkgoRecover()
				if (i+1)%everyFourth == 0 {
					update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RevokeIssuedBefore = away(0) })
				} else {
					update(name, withdrawn)
				}
			})
		}
		all.Wait()
		for i, name := range names {
			if (i+1)%everyFourth == 0 {
				Eventually(state(name, v1alpha1.ConditionRevocationComplete)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonRevoked, ""))
				continue
			}
			Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState, ""))
			want := []v1alpha1.BindingReference{{Kind: "ClusterRoleBinding", Name: byTeam.Name}}
			if other, ok := byUser[name]; ok {
				want = append(want, v1alpha1.BindingReference{Kind: "RoleBinding", Namespace: namespace, Name: other})
			}
			residual := get(name).Status.ResidualAccess
			Expect(residual.Bindings).To(ConsistOf(want), name)
			Expect(residual.Total).To(BeEquivalentTo(len(want)), name)
		}
		// A look lists the cluster-wide bindings once, and the others page by page.
		requests := operatorRequests(from)
		Expect(requests).To(HaveKey("list clusterrolebindings"))
		Expect(requests["list clusterrolebindings"]).To(BeNumerically("<", many/2), "looks at all bindings: %v", requests)
		Expect(requests["delete rolebindings"]).To(Equal(many-many/everyFourth), "%v", requests)
		AddReportEntry("requests", requests)
	})
})
