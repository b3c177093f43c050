// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/argocd"
)

// act runs an action on an identity as Argo CD does: the script on the live object, and a merge patch of what it changed.
func act(c client.Client, name, action string) error {
	GinkgoHelper()
	script := readFile(filepath.Join(filepath.Dir(testdata), "actions", action, "action.lua"))
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClientIdentity"))
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, live)).To(Succeed())
	changed, err := argocd.Act(ctx, script, live.Object)
	Expect(err).NotTo(HaveOccurred())
	return c.Patch(ctx, &unstructured.Unstructured{Object: changed}, client.MergeFrom(live))
}

var _ = Describe("The actions in Argo CD", func() {
	It("renew, revoke, withdraw and activate a live identity", func() {
		create("acted", func(i *v1alpha1.ClientIdentity) { i.Spec.BindTo = v1alpha1.BindToCredential })
		revision("acted", 1)
		By("renew")
		Expect(act(admin, "acted", "renew")).To(Succeed())
		revision("acted", 2)
		By("revoke")
		Expect(act(admin, "acted", "revoke")).To(Succeed())
		revision("acted", 3)
		Expect(get("acted").Status.CompletedRevocation).NotTo(BeNil())
		By("withdraw")
		Expect(act(admin, "acted", "withdraw")).To(Succeed())
		inState("acted", v1alpha1.ObservedWithdrawn, v1alpha1.ReasonWithdrawnByState)
		By("activate")
		Expect(act(admin, "acted", "activate")).To(Succeed())
		inState("acted", v1alpha1.ObservedReady, v1alpha1.ReasonIssued)
	})
})
