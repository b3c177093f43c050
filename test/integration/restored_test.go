// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// restored returns an object as a backup tool restores it: without owners, finalizers and what the API server sets.
func restored[T client.Object](object T) T {
	object.SetOwnerReferences(nil)
	object.SetFinalizers(nil)
	object.SetResourceVersion("")
	object.SetUID("")
	object.SetManagedFields(nil)
	return object
}

var _ = Describe("A restored backup", func() {
	It("ends with a proven credential and exactly the bindings of the spec, all made anew", func() {
		name, namespace := uniqueName("restored"), createNamespace("restored", nil)
		create(newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view"), boundToCredential))
		before := eventuallyReady(name)
		secret := publishedSecret(before)
		old := restored(publishedSecret(before))
		binding, everywhere := roleBindingsOf(name)[0], allBinding(name, "view")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(everywhere), everywhere)).To(Succeed())
		oldBinding, oldEverywhere := restored(binding.DeepCopy()), restored(everywhere.DeepCopy())
		unwanted := devBinding(name, namespace, "edit", user(before.Spec.Username))
		unwanted.Labels = ourLabels(name)

		// The cluster is lost, and the backup comes back in alphabetical order, with the operator down.
		stopOperator()
		Expect(admin.Delete(ctx, get(name))).To(Succeed())
		for _, object := range []client.Object{secret, &binding, everywhere} {
			Eventually(uidOf(object)).Should(BeEmpty())
		}
		again := newIdentity(name)
		again.Spec = before.Spec
		create(oldEverywhere, oldBinding, unwanted, old, again)
		startOperator()

		identity := eventuallyReady(name)
		expectUser(identity, "clientidentity.dev:"+compact(identity)+":0")
		published := publishedSecret(identity)
		Expect(published.UID).NotTo(Equal(old.UID), "the restored Secret is still there")
		Expect(leafOf(published.Data[v1alpha1.CertificateKey]).Equal(leafOf(old.Data[v1alpha1.CertificateKey]))).To(BeFalse())
		Expect(bindingsOf(name)()).To(ConsistOf("RoleBinding "+namespace+"/view", "ClusterRoleBinding view"))
		for _, object := range []client.Object{oldBinding, oldEverywhere} {
			Expect(uidOf(object)()).NotTo(Equal(object.GetUID()), "the restored binding is still there")
		}
		Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeTrue())
	}, Serial)

	It("comes to order where the operator runs and the dependents are restored first", func() {
		name, namespace := uniqueName("restored-first"), createNamespace("restored", nil)
		orphan := plantedSecret(name)
		orphan.Labels = ourLabels(name)
		orphan.Annotations = map[string]string{"example.com/backup": "yes"}
		binding := devBinding(name, namespace, "view", user("somebody"))
		binding.Labels = ourLabels(name)
		create(orphan, binding, newIdentity(name, boundIn(namespace, "view")))
		identity := eventuallyReady(name)
		Expect(publishedSecret(identity).UID).NotTo(Equal(orphan.UID))
		Expect(publishedSecret(identity).Annotations).NotTo(HaveKey("example.com/backup"))
		bound := roleBindingsOf(name)
		Expect(bound).To(HaveLen(1))
		Expect(bound[0].UID).NotTo(Equal(binding.UID))
		Expect(bound[0].Subjects).To(ConsistOf(user(identity.Spec.Username)))
		Expect(metav1.IsControlledBy(&bound[0], identity)).To(BeTrue())
	})

	It("of an identity without access leaves nothing of it", func() {
		name, namespace := uniqueName("restored-withdrawn"), createNamespace("restored", nil)
		orphan, elsewhere := plantedSecret(name), plantedSecret(name)
		elsewhere.Name = name + "-formerly"
		binding := devBinding(name, namespace, "view", user(name+"@example.com"))
		for _, object := range []client.Object{orphan, elsewhere, binding} {
			object.SetLabels(ourLabels(name))
			create(object)
		}
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn }))
		Eventually(state(name, v1alpha1.ConditionWithdrawn)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState, ""))
		Expect(bindingsOf(name)()).To(BeEmpty())
		Eventually(secretsOf(name)).Should(BeEmpty())
	})

	It("without the status gets a new credential, and the old bindings stay in place", func() {
		name, namespace := uniqueName("no-status"), createNamespace("restored", nil)
		create(newIdentity(name, boundIn(namespace, "view")))
		before := eventuallyReady(name)
		bound := roleBindingsOf(name)
		wipeStatus(name)
		Eventually(func() string {
			if c := get(name).Status.Certificate; c != nil {
				return c.Fingerprint
			}
			return before.Status.Certificate.Fingerprint
		}).ShouldNot(Equal(before.Status.Certificate.Fingerprint))
		expectUser(eventuallyReady(name))
		Expect(uidOf(&bound[0])()).To(Equal(bound[0].UID))
	})

	It("that kept stale owners is collected, and everything is made anew", func() {
		name, namespace := uniqueName("stale-owner"), createNamespace("restored", nil)
		formerly := newIdentity(name)
		formerly.UID = "00000000-0000-4000-8000-000000000000"
		secret, binding := plantedSecret(name), devBinding(name, namespace, "view", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "old"})
		for _, object := range []client.Object{secret, binding} {
			object.SetLabels(ourLabels(name))
			object.SetOwnerReferences(forgedOwner(formerly))
			create(object)
		}
		create(newIdentity(name, boundIn(namespace, "view")))
		identity := eventuallyReady(name)
		expectUser(identity)
		Expect(publishedSecret(identity).UID).NotTo(Equal(secret.UID))
		Expect(publishedSecret(identity).Namespace).To(Equal(operator.SecretNamespace))
		Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeTrue())
	})
})
