// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// newUpdater returns the name and a client of somebody who creates and updates identities, and may not delete them.
func newUpdater() (string, client.Client) {
	GinkgoHelper()
	user := uniqueName("updater")
	grant(user, right{rule: rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"},
		Verbs: []string{"create", "get", "list", "patch", "update"}}})
	updater := as(user)
	Eventually(func() error { return updater.List(ctx, &v1alpha1.ClientIdentityList{}) }).Should(Succeed())
	return user, updater
}

// ownedBy adds an owner: the garbage collector deletes what has owners, and none that exists.
func ownedBy(owner *rbacv1.ClusterRole) change {
	return func(identity *v1alpha1.ClientIdentity) {
		identity.OwnerReferences = append(identity.OwnerReferences, metav1.OwnerReference{
			APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: owner.Name, UID: owner.UID})
	}
}

func held(identity *v1alpha1.ClientIdentity) {
	identity.Finalizers = append(identity.Finalizers, "example.com/held")
}

// gone says whether an identity does not exist.
func gone(name string) bool {
	return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClientIdentity{}))
}

var _ = Describe("With the right to update an identity alone, without the admission plugin that this suite runs with", Serial, Ordered, func() {
	nothing := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nothing", UID: "00000000-0000-0000-0000-000000000000"}}
	var updater client.Client

	BeforeAll(func() {
		// OwnerReferencesPermissionEnforcement asks for the same right; clusters have it off by default.
		bare, err := controlplane.Start(ctx, controlplane.Options{APIServerFlags: map[string][]string{"enable-admission-plugins": {}}})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(suite *controlplane.ControlPlane, client client.Client) {
			cp, admin = suite, client
			Expect(bare.Stop()).To(Succeed())
		}, cp, admin)
		cp = bare
		admin, err = client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		Expect(operator.Apply(ctx, cp, "config/crd")).To(Succeed())
		Expect(cp.RestartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
		_, updater = newUpdater()
	})

	It("an owner that does not exist deletes it where the policy is missing", func() {
		identity := root()
		Eventually(func() error { return put(updater, identity.Name, ownedBy(nothing)) }).Should(Succeed())
		Eventually(func() bool { return gone(identity.Name) }, time.Minute).Should(BeTrue())
	})

	It("owners and finalizers are refused where it is there, and whatever else is changed with them", func() {
		refused := beDeniedBy("client-identity-operator-owners", "takes the right to delete ClientIdentity")
		identity := root()
		Expect(operator.Apply(ctx, cp, "config/policy")).To(Succeed())
		Eventually(func() error { return updater.Create(ctx, newIdentity("held", held), client.DryRunAll) }).Should(refused)
		for _, c := range []change{ownedBy(nothing), held, all(withdraw, ownedBy(nothing)), all(revoke, held)} {
			Eventually(func() error { return patch(updater, identity.Name, c) }).Should(refused)
			Eventually(func() error { return put(updater, identity.Name, c) }).Should(refused)
		}
		Expect(updater.Create(ctx, newIdentity(uniqueName("owned"), ownedBy(nothing)))).To(refused)
		Consistently(func() bool { return gone(identity.Name) }).Should(BeFalse())
		Expect(put(updater, identity.Name, revoke)).To(Succeed())

		By("removing them, which is free, and no way to put others in their place")
		owner := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("owner")}}
		create(owner)
		Expect(put(admin, identity.Name, held, ownedBy(owner))).To(Succeed())
		Expect(put(updater, identity.Name, func(i *v1alpha1.ClientIdentity) { i.OwnerReferences = nil }, ownedBy(nothing))).To(refused)
		Expect(put(updater, identity.Name, func(i *v1alpha1.ClientIdentity) { i.OwnerReferences, i.Finalizers = nil, nil })).To(Succeed())
	})
})

var _ = Describe("The owners and finalizers of an identity", func() {
	It("are changed by whoever may delete it, and in nobody's way otherwise", func() {
		owner := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("owner")}}
		create(owner)
		identity := root()
		eventuallyReady(identity.Name)
		_, updater := newUpdater()
		_, deleter := newAuthor()
		Eventually(func() error { return put(deleter, identity.Name, held, ownedBy(owner)) }).Should(Succeed())
		Eventually(func() error { return put(updater, identity.Name, revoke) }).Should(Succeed())
		eventuallyReady(identity.Name)
		Eventually(func() error {
			return put(updater, identity.Name, func(i *v1alpha1.ClientIdentity) { i.Finalizers = nil })
		}).Should(Succeed())
	})

	It("let the garbage collector delete an identity with its owner, and drop an owner that is gone", func() {
		first := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("owner")}}
		second := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("owner")}}
		create(first, second)
		identity := root(ownedBy(first), ownedBy(second))
		eventuallyReady(identity.Name)
		Expect(admin.Delete(ctx, first)).To(Succeed())
		Eventually(func() []metav1.OwnerReference { return get(identity.Name).OwnerReferences }).Should(HaveLen(1))
		Expect(admin.Delete(ctx, second, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		Eventually(func() bool { return gone(identity.Name) }).Should(BeTrue())
	})
})
