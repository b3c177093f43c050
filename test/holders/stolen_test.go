// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

// expectNoticed checks that everybody is told which device's credential is in two hands, and that nothing renews.
func expectNoticed(identity *v1alpha1.ClientIdentity, device string, hands ...*credential) {
	GinkgoHelper()
	Eventually(func() *v1alpha1.ClientIdentity { return get(identity.Name) }).Should(
		haveCondition(v1alpha1.ConditionCredentialReused, metav1.ConditionTrue, v1alpha1.ReasonDeviceSuspended, device))
	suspended := deviceOf(get(identity.Name), device)
	Expect(suspended.State).To(Equal(v1alpha1.DeviceSuspended))
	Expect(suspended.Message).NotTo(BeEmpty())
	Eventually(func(g Gomega) {
		var events eventsv1.EventList
		g.Expect(admin.List(ctx, &events, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
		g.Expect(events.Items).To(ContainElement(And(
			HaveField("Regarding.Name", identity.Name), HaveField("Type", corev1.EventTypeWarning),
			HaveField("Reason", Or(Equal(v1alpha1.ConditionCredentialReused), Equal(v1alpha1.ReasonDeviceSuspended))), HaveField("Note", ContainSubstring(device)),
		)))
	}).Should(Succeed())
	for _, hand := range hands {
		ask(identity, device).by(hand.connection()).expectDenied(holder.ReasonDeviceSuspended, device, "invitation")
	}
}

// expectUnnoticed checks that nobody is taken for a thief.
func expectUnnoticed(name string) {
	GinkgoHelper()
	identity := get(name)
	Expect(meta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionCredentialReused)).To(BeNil())
	for _, device := range identity.Status.Devices {
		Expect(device.State).To(Equal(v1alpha1.DeviceActive), device.Message)
	}
}

var _ = Describe("A copy of a device's credential", func() {
	It("is noticed when it renews before the device does", func() {
		identity := enrollable("before")
		laptop, desktop := enrol(identity, "laptop"), enrol(identity, "desktop")
		By("the thief renewing, which nobody can tell from the device")
		thief := renew(identity, laptop)
		expectUnnoticed(identity.Name)
		By("the device renewing")
		ask(identity, "laptop").by(laptop.connection()).expectDenied(holder.ReasonCredentialReused, "laptop", "copy")
		expectNoticed(identity, "laptop", thief)
		By("another device going on")
		renew(identity, desktop)
	})

	It("is noticed when it renews after the device did", func() {
		identity := enrollable("after")
		old := enrol(identity, "laptop")
		laptop := renew(identity, old)
		ask(identity, "laptop").by(old.connection()).expectDenied(holder.ReasonCredentialReused, "laptop", "copy")
		expectNoticed(identity, "laptop", laptop)
	})

	It("is noticed when it is some renewals old", func() {
		identity := enrollable("older")
		old := enrol(identity, "laptop")
		laptop := renew(identity, renew(identity, renew(identity, old)))
		ask(identity, "laptop").by(old.connection()).expectDenied(holder.ReasonCredentialReused, "laptop")
		expectNoticed(identity, "laptop", laptop)
	})

	It("is noticed when both renew at once", func() {
		identity := enrollable("race")
		laptop := enrol(identity, "laptop")
		var one, other *sent
		withoutOperator(func() {
			later()
			one, other = ask(identity, "laptop").by(laptop.connection()), ask(identity, "laptop").by(laptop.connection())
		})
		Eventually(func(g Gomega) {
			g.Expect(one.now().Status.Conditions).NotTo(BeEmpty())
			g.Expect(other.now().Status.Conditions).NotTo(BeEmpty())
		}).Should(Succeed())
		var winners []*credential
		for _, request := range []*sent{one, other} {
			if condition(request.now(), certificatesv1.CertificateApproved) != nil {
				winners = append(winners, request.issued())
			}
		}
		Expect(len(winners)).To(BeNumerically("<=", 1), "both were approved")
		expectNoticed(identity, "laptop", winners...)
	})

	It("does not stop the device for good: it is enrolled again, and the copies stay dead", func() {
		identity := enrollable("again")
		old := enrol(identity, "laptop")
		laptop := renew(identity, old)
		ask(identity, "laptop").by(old.connection()).expectDenied(holder.ReasonCredentialReused)
		expectNoticed(identity, "laptop", laptop)
		By("an invitation")
		later()
		enrolled := ask(identity, "laptop").by(invite(identity)).issued()
		eventuallyHas(identity.Name, enrolled)
		expectUnnoticed(identity.Name)
		By("copies from before being unknown, and no reason to suspend the device again")
		for _, c := range []*credential{old, laptop} {
			ask(identity, "laptop").by(c.connection()).expectDenied(holder.ReasonCredentialUnknown, "laptop")
		}
		expectUnnoticed(identity.Name)
		renew(identity, enrolled)
	})

	It("is not taken for one when the device asks again for the key that it has asked for", func() {
		identity := enrollable("crash")
		laptop := enrol(identity, "laptop")
		By("another request for the same key, with the credential that was spent on it")
		later()
		first := ask(identity, "laptop")
		lost := first.by(laptop.connection()).issued()
		later()
		again := ask(identity, "laptop", withKey(first.key)).by(laptop.connection()).issued()
		Expect(again.fingerprint).NotTo(Equal(lost.fingerprint))
		eventuallyHas(identity.Name, again)
		expectUnnoticed(identity.Name)
		renew(identity, again)
	})
})

// deviceOf returns what a status says about a device.
func deviceOf(identity *v1alpha1.ClientIdentity, name string) v1alpha1.Device {
	for _, d := range identity.Status.Devices {
		if d.Name == name {
			return d
		}
	}
	return v1alpha1.Device{}
}
