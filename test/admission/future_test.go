// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

const revocations = "client-identity-operator-revocations"

// theEnd is the last time that the schema accepts.
var theEnd = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ahead is a time that is ahead of the API server's clock, which is this machine's.
func ahead(by time.Duration) time.Time { return time.Now().Add(by) }

// revokeAt revokes what was issued before that time.
func revokeAt(at time.Time) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: at} }
}

// applyRevocation sets the time by server-side apply.
func applyRevocation(c client.Client, name string, at time.Time) error {
	apply := fmt.Sprintf(`{"apiVersion":"clientidentity.dev/v1alpha1","kind":"ClientIdentity","metadata":{"name":%q},"spec":{"username":%q,"revokeIssuedBefore":%q}}`,
		name, get(name).Spec.Username, at.UTC().Format(time.RFC3339))
	return c.Patch(ctx, newIdentity(name), client.RawPatch(types.ApplyPatchType, []byte(apply)), client.ForceOwnership, client.FieldOwner("apply"))
}

// forged are entries of managedFields that nobody has seen the API server write.
func forged(count int, manager string, operation metav1.ManagedFieldsOperationType) []metav1.ManagedFieldsEntry {
	entries := make([]metav1.ManagedFieldsEntry, count)
	for i := range entries {
		entries[i] = metav1.ManagedFieldsEntry{
			Manager: fmt.Sprint(manager, i), Operation: operation, APIVersion: v1alpha1.GroupVersion.String(), Time: &metav1.Time{Time: theEnd},
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:username":{},"f:revokeIssuedBefore":{}}}`),
		}
	}
	return entries
}

func withManagedFields(entries []metav1.ManagedFieldsEntry) change {
	return func(identity *v1alpha1.ClientIdentity) { identity.ManagedFields = entries }
}

var _ = Describe("A revocation ahead of the API server's clock", func() {
	inTheFuture := beDeniedBy(revocations, "is in the future: a revocation lies in the past when it is made; use the current time")

	It("is refused, however it is made and whoever makes it; the current time is not, nor a clock that is a little ahead", func() {
		identity := root()
		_, updater := newUpdater()
		for _, at := range []time.Time{theEnd, ahead(2 * time.Minute)} {
			Expect(admin.Create(ctx, newIdentity("future", revokeAt(at)))).To(And(inTheFuture, MatchError(ContainSubstring("spec.revokeIssuedBefore ("+at.UTC().Format(time.RFC3339)+")"))))
			for _, c := range []client.Client{admin, updater} {
				Eventually(func() error { return patch(c, identity.Name, revokeAt(at)) }).Should(inTheFuture)
				Eventually(func() error { return put(c, identity.Name, revokeAt(at)) }).Should(inTheFuture)
				Expect(applyRevocation(c, identity.Name, at)).To(inTheFuture)
				Expect(patch(c, identity.Name, all(withdraw, revokeAt(at)))).To(inTheFuture)
			}
		}
		Expect(patch(updater, identity.Name, revokeAt(ahead(-time.Minute)))).To(Succeed())
		Expect(applyRevocation(updater, identity.Name, ahead(0))).To(Succeed())
		Expect(patch(updater, identity.Name, revokeAt(ahead(20*time.Second)))).To(Succeed())
	})

	It("is refused with managed fields that say another time, or none", func() {
		identity := root(revokeAt(ahead(-time.Hour)))
		_, updater := newUpdater()
		unknown := beDeniedBy(revocations, "somebody removed or rewrote metadata.managedFields")
		for _, entries := range [][]metav1.ManagedFieldsEntry{
			{{}}, forged(1, "m", "Update"), forged(9, "m", "Update"), forged(20, "m", "Update"), forged(20, "ancient-changes", "Update"), forged(20, "m", "Apply"),
		} {
			for _, at := range []time.Time{theEnd, ahead(2 * time.Minute)} {
				Eventually(func() error { return put(updater, identity.Name, withManagedFields(entries), revokeAt(at)) }).Should(Or(inTheFuture, unknown))
			}
			By("first the managed fields, then the revocation")
			Eventually(func() error { return put(updater, identity.Name, withManagedFields(entries)) }).Should(Succeed())
			Eventually(func() error { return put(updater, identity.Name, revokeAt(theEnd)) }).Should(Or(inTheFuture, unknown))
			Expect(applyRevocation(updater, identity.Name, theEnd)).To(inTheFuture)
			By("an honest revocation, which is still possible")
			Expect(applyRevocation(updater, identity.Name, ahead(0))).To(Succeed())
		}
		By("by whoever may delete the identity, in any way")
		Eventually(func() error { return put(admin, identity.Name, withManagedFields([]metav1.ManagedFieldsEntry{{}})) }).Should(Succeed())
		Eventually(func() error { return put(updater, identity.Name, revokeAt(ahead(5*time.Second))) }).Should(unknown)
		Eventually(func() error { return put(admin, identity.Name, revokeAt(ahead(5*time.Second))) }).Should(Succeed())
		Eventually(func() error { return put(updater, identity.Name, withdraw) }).Should(Succeed())
	})

	It("that slipped through while the policy was off is followed by the current time, and by no earlier one", Serial, func() {
		first := ahead(-time.Hour)
		identity := root(revokeAt(first))
		eventuallyReady(identity.Name)
		_, updater := newUpdater()
		withoutPolicy(revocations, func() {
			Eventually(func() error { return patch(updater, identity.Name, revokeAt(theEnd)) }).Should(Succeed())
		})
		// The policy is in force once it refuses something.
		Eventually(func() error { return admin.Create(ctx, newIdentity("future", revokeAt(theEnd)), client.DryRunAll) }).Should(inTheFuture)
		grows := MatchError(ContainSubstring("may only grow: older certificates would be valid again"))
		for _, at := range []time.Time{first, ahead(-2 * time.Minute)} {
			Expect(patch(updater, identity.Name, revokeAt(at))).To(grows)
		}
		Expect(patch(updater, identity.Name, revokeAt(ahead(time.Hour)))).To(Or(grows, inTheFuture))
		// Not in the second in which the last certificate was asked for.
		Eventually(func() error { return patch(updater, identity.Name, revokeAt(ahead(0))) }).Should(Succeed())
		Expect(patch(updater, identity.Name, revokeAt(first))).To(grows)
		Expect(patch(updater, identity.Name, revokeAt(get(identity.Name).Spec.RevokeIssuedBefore.Add(-time.Second)))).To(grows)
	})
})

// withoutPolicy does something while a policy is not in force.
func withoutPolicy(name string, do func()) {
	GinkgoHelper()
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, binding)).To(Succeed())
	Expect(admin.Delete(ctx, binding)).To(Succeed())
	defer func() {
		again := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: binding.Labels, Annotations: binding.Annotations}, Spec: binding.Spec}
		Expect(admin.Create(ctx, again)).To(Succeed())
	}()
	do()
}
