// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"encoding/json"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// next is a version of the API that a release to come could have.
const next = "clientidentity.dev/v1beta1"

// identityOf returns an identity in the next version.
func identityOf(name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"username": name + "@example.com"}}}
	object.SetAPIVersion(next)
	object.SetKind("ClientIdentity")
	object.SetName(name)
	return object
}

// changeCRD changes the versions of the CRD, and waits until the API server serves a path in the next one.
func (w *world) changeCRD(path string, change func(versions []any) []any) {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	Expect(w.admin.Get(w, client.ObjectKey{Name: crd}, definition)).To(Succeed())
	versions, _, err := unstructured.NestedSlice(definition.Object, "spec", "versions")
	Expect(err).NotTo(HaveOccurred())
	Expect(unstructured.SetNestedSlice(definition.Object, change(versions), "spec", "versions")).To(Succeed())
	Expect(w.admin.Update(w, definition)).To(Succeed())
	Eventually(w.kubectl).WithArguments("explain", "--api-version="+next, "clientidentities"+path).Should(Succeed())
}

// storedVersions are the versions that objects may be stored in, as the CRD says.
func (w *world) storedVersions() []string {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	Expect(w.admin.Get(w, client.ObjectKey{Name: crd}, definition)).To(Succeed())
	versions, _, err := unstructured.NestedStringSlice(definition.Object, "status", "storedVersions")
	Expect(err).NotTo(HaveOccurred())
	return versions
}

// storedAs returns in which versions the identities are stored, and how many in each.
func (w *world) storedAs() map[string]int {
	GinkgoHelper()
	entries, err := fixture.Stored(w, w.cp, "/registry/clientidentity.dev/clientidentities/")
	Expect(err).NotTo(HaveOccurred())
	versions := map[string]int{}
	for _, entry := range entries {
		var object struct {
			APIVersion string `json:"apiVersion"`
		}
		Expect(json.Unmarshal(entry.Value, &object)).To(Succeed())
		versions[object.APIVersion]++
	}
	return versions
}

var _ = Describe("Another version of the CRD", Ordered, func() {
	var (
		w      *world
		before picture
		count  int
	)

	BeforeAll(func() {
		w = begin()
		before = w.take()
		w.apply()
		endpoints := w.newService()
		operator := w.start(current)
		endpoints.to(operator)
		w.eventuallyLed()
		identities := &v1alpha1.ClientIdentityList{}
		Expect(w.admin.List(w, identities)).To(Succeed())
		count = len(identities.Items)
	})

	It("is served beside the first one, guarded alike", func() {
		w.changeCRD("", func(versions []any) []any {
			second := (&unstructured.Unstructured{Object: versions[0].(map[string]any)}).DeepCopy().Object
			second["name"], second["storage"] = "v1beta1", false
			return append(versions, second)
		})
		alice := identityOf("alice")
		Expect(w.admin.Get(w, client.ObjectKeyFromObject(alice), alice)).To(Succeed())
		Expect(alice.GetUID()).To(Equal(w.get("alice").UID))
		Expect(w.changed(before)).To(BeEmpty())

		Expect(w.admin.Create(w, identityOf("pat"))).To(Succeed())
		Eventually(func() v1alpha1.ObservedState { return w.get("pat").Status.State }).Should(Equal(v1alpha1.ObservedReady))

		By("refusing whoever holds nothing of what an identity gives")
		maker := &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{{APIGroups: []string{"clientidentity.dev"}, Resources: []string{"clientidentities"}, Verbs: []string{"create"}}}}
		binding := &rbacv1.ClusterRoleBinding{RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "maker"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "mallory"}}}
		maker.Name, binding.Name = "maker", "maker"
		Expect(w.admin.Create(w, maker)).To(Succeed())
		Expect(w.admin.Create(w, binding)).To(Succeed())
		connection, err := w.cp.ConfigFor("mallory")
		Expect(err).NotTo(HaveOccurred())
		mallory, err := client.New(connection, client.Options{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(mallory.Create).WithArguments(w, identityOf("root")).Should(MatchError(ContainSubstring("impersonate")))
		Expect(w.kubectl("delete", "clientidentities.v1beta1.clientidentity.dev", "pat", "--cascade=orphan")).To(MatchError(ContainSubstring("cannot be deleted with --cascade=orphan")))
	})

	It("becomes the one that is stored, and the operator notices nothing", func() {
		Expect(w.storedVersions()).To(Equal([]string{"v1alpha1"}))
		w.changeCRD("", func(versions []any) []any {
			for _, version := range versions {
				version := version.(map[string]any)
				version["storage"] = version["name"] == "v1beta1"
			}
			return versions
		})
		Eventually(w.storedVersions).Should(Equal([]string{"v1alpha1", "v1beta1"}))

		// What kube-storage-version-migrator does: an update without a change writes the object anew.
		identities := &v1alpha1.ClientIdentityList{}
		Expect(w.admin.List(w, identities)).To(Succeed())
		Eventually(func() map[string]int {
			for i := range identities.Items {
				Expect(w.admin.Patch(w, &identities.Items[i], client.RawPatch(types.MergePatchType, []byte("{}")))).To(Succeed())
			}
			return w.storedAs()
		}).Should(Equal(map[string]int{next: count + 1}))
		Expect(w.kubectl("patch", "crd", crd, "--subresource=status", "--type=merge", `--patch={"status":{"storedVersions":["v1beta1"]}}`)).To(Succeed())
		Expect(w.storedVersions()).To(Equal([]string{"v1beta1"}))

		Consistently(func() []string {
			return slices.DeleteFunc(w.changed(before), func(difference string) bool {
				return strings.HasPrefix(difference, "version of ") || strings.Contains(strings.SplitN(difference, "\n", 2)[0], "pat")
			})
		}).Should(BeEmpty(), "other than that identities were written")
		Expect(w.holderOf(w.kubeconfigOf(w.reissued("heidi", renew)))).To(HavePrefix("system:heidi "))
	})

	It("has its dependents collected by owner references of the first one", func() {
		Expect(w.admin.Delete(w, identityOf("carol"))).To(Succeed())
		Eventually(w.left).ShouldNot(ContainElement(ContainSubstring("carol")))
	})

	It("keeps what an older operator does not know", func() {
		w.changeCRD(".status.future", func(versions []any) []any {
			for _, version := range versions {
				for _, part := range []string{"spec", "status"} {
					Expect(unstructured.SetNestedMap(version.(map[string]any), map[string]any{"type": "string"},
						"schema", "openAPIV3Schema", "properties", part, "properties", "future")).To(Succeed())
				}
			}
			return versions
		})
		future := identityOf("bob")
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"future":"kept"}}`))
		Eventually(w.admin.Patch).WithArguments(w, future, patch).Should(MatchError(ContainSubstring("what this version of the operator does not know")))

		By("writing it where no older operator is asked")
		Expect(w.kubectl("delete", "validatingwebhookconfiguration", name)).To(Succeed())
		Eventually(w.admin.Patch).WithArguments(w, future, patch).Should(Succeed())
		Expect(w.admin.Status().Patch(w, future, client.RawPatch(types.MergePatchType, []byte(`{"status":{"future":"kept"}}`)))).To(Succeed())
		revision := w.get("bob").Status.Certificate.Revision
		Expect(w.kubectl("annotate", "cid", "bob", v1alpha1.RenewRequestedAtAnnotation+"=now")).To(Succeed())
		Eventually(func() int64 { return w.get("bob").Status.Certificate.Revision }).Should(Equal(revision+1), "the operator writes its status")
		Expect(w.admin.Get(w, client.ObjectKeyFromObject(future), future)).To(Succeed())
		for _, part := range []string{"spec", "status"} {
			kept, _, err := unstructured.NestedString(future.Object, part, "future")
			Expect(err).NotTo(HaveOccurred())
			Expect(kept).To(Equal("kept"), part)
		}
	})
})
