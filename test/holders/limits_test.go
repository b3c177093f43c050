// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/test/controlplane"
)

var _ = Describe("Devices", func() {
	It("are five at most, by default, until one is revoked", func() {
		identity := enrollable("five")
		var devices []*credential
		for i := range 5 {
			devices = append(devices, enrol(identity, fmt.Sprintf("device-%d", i+1)))
		}
		invitation := invite(identity)
		ask(identity, "device-6").by(invitation).expectDenied(holder.ReasonTooManyDevices, "5", "maxDevices")
		ask(identity, "device-6").by(cp.Config()).expectDenied(holder.ReasonTooManyDevices)
		By("those that there are going on")
		devices[4] = renew(identity, devices[4])

		By("one of them being revoked, and the invitation being as good as before")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: devices[0].fingerprint}}
		})
		Eventually(func() v1alpha1.DeviceState { return device(identity.Name, "device-1").State }).Should(Equal(v1alpha1.DeviceRevoked))
		eventuallyHas(identity.Name, ask(identity, "device-6").by(invitation).issued())
		By("and that one not coming back beside them")
		ask(identity, "device-1").by(invite(identity)).expectDenied(holder.ReasonTooManyDevices)
	})

	It("are as many as maxDevices says", func() {
		identity := enrollable("one", func(identity *v1alpha1.ClientIdentity) { identity.Spec.MaxDevices = ptr.To[int32](1) })
		laptop := enrol(identity, "laptop")
		ask(identity, "phone").by(invite(identity)).expectDenied(holder.ReasonTooManyDevices, "1")
		renew(identity, laptop)
	})

	It("are one by one where more ask at once than there may be", func() {
		identity := enrollable("burst", func(identity *v1alpha1.ClientIdentity) { identity.Spec.MaxDevices = ptr.To[int32](2) })
		var requests []*sent
		withoutOperator(func() {
			for i := range 4 {
				requests = append(requests, ask(identity, fmt.Sprintf("device-%d", i)).by(cp.Config()))
			}
		})
		Eventually(func(g Gomega) {
			for _, request := range requests {
				g.Expect(request.now().Status.Conditions).NotTo(BeEmpty())
			}
		}).Should(Succeed())
		approved := 0
		for _, request := range requests {
			if condition(request.now(), "Approved") != nil {
				approved++
			} else {
				request.expectDenied(holder.ReasonTooManyDevices)
			}
		}
		Expect(approved).To(Equal(2))
	})

	It("are not replaced by others of the same name", func() {
		identity := enrollable("taken")
		laptop := enrol(identity, "laptop")
		ask(identity, "laptop").by(invite(identity)).expectDenied(holder.ReasonDeviceExists, "laptop")
		ask(identity, "laptop").by(cp.Config()).expectDenied(holder.ReasonDeviceExists, "laptop")
		renew(identity, laptop)
	})

	It("get no certificates in a loop", func() {
		identity := enrollable("loop")
		laptop := enrol(identity, "laptop")
		ask(identity, "laptop").by(laptop.connection()).expectDenied(holder.ReasonIssuedTooOften, "laptop", "ask again after")
		expectUnnoticed(identity.Name)
		renew(identity, laptop)
	})

	It("wait for the certificate that they have asked for", func() {
		identity := enrollable("open")
		By("nobody signing")
		Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
		DeferCleanup(func() { Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed()) })
		waiting := ask(identity, "laptop").by(invite(identity))
		Eventually(func() bool { return condition(waiting.now(), certificatesv1.CertificateApproved) != nil }).Should(BeTrue())
		ask(identity, "laptop").by(invite(identity)).expectDenied(holder.ReasonRequestOpen, "laptop", waiting.name)
		Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
		eventuallyHas(identity.Name, waiting.issued())
	})

	It("are none where the operator makes the keys", func() {
		identity := newIdentity(uniqueName("operators"), func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Source = v1alpha1.SourceOperator })
		create(identity)
		ask(get(identity.Name), "laptop").by(cp.Config()).expectDenied(holder.ReasonNotForHolders, "privateKey.source")
	})
})
