// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("devices", func() {
	It("are invited, and revoked one by one", func() {
		identity := newIdentity("devices", held)
		laptop := newMachine("laptop")
		invited := newPerson("inviter").may(identity, "invite").run("invite", identity.Name, "--device", "laptop")
		Expect(invited.code).To(BeZero(), invited.stderr)
		seen := laptop.runWith(strings.NewReader(invited.stdout), "enroll", "-")
		Expect(seen.code).To(BeZero(), seen.stderr)
		phone := enrolled(identity, "phone")
		for _, machine := range []*person{laptop, phone} {
			user, _ := machine.whoami(machine.kubeconfig)
			Expect(user).To(Equal(identity.Spec.Username))
		}

		desk := newPerson("desk").may(identity, "revoke").may(identity, "renew")
		Expect(desk.run("renew", identity.Name).stderr).To(ContainSubstring("each device renews its certificate by itself"))
		Expect(desk.run("revoke", identity.Name).stderr).To(ContainSubstring("the certificates of one device, which renews no more: laptop, phone"))
		Expect(desk.run("revoke", identity.Name, "--device", "desktop").stderr).To(ContainSubstring("those with a valid certificate are: laptop, phone"))

		By("revoking one")
		seen = desk.run("revoke", identity.Name, "--device", "laptop", "--reason", "laptop stolen")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(deviceOf(identity, "laptop").State).To(Equal(v1alpha1.DeviceRevoked))
		Expect(seen.stdout).To(HavePrefix(identity.Name + ": revoked device laptop: 1 certificate\nIt reaches the API server: "))
		Expect(seen.stdout).To(ContainSubstring("The device renews no more. To let it, or another one in its place, in again: kubectl clientidentity invite " + identity.Name))
		Expect(laptop.kubectl(laptop.kubeconfig, "get", "--raw", "/api/v1/namespaces/default/pods").stderr).To(ContainSubstring("laptop stolen"))
		Expect(phone.kubectl(phone.kubeconfig, "get", "pods").code).To(BeZero())

		By("revoking what is left, which is one")
		seen = desk.run("revoke", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(HavePrefix(identity.Name + ": revoked device phone"))
		Expect(phone.kubectl(phone.kubeconfig, "get", "pods").code).To(Equal(1))
	})

	It("are revoked all at once, with the invitations that are open", func() {
		identity := newIdentity("all-devices", held)
		phone := enrolled(identity, "phone")
		inviter := newPerson("inviter").may(identity, "invite")
		open := inviter.run("invite", identity.Name)
		Expect(open.code).To(BeZero(), open.stderr)
		seen := newPerson("desk").may(identity, "revoke").run("revoke", identity.Name, "--all")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(ContainSubstring("No device renews any more, and open invitations have ended."))
		Expect(phone.kubectl(phone.kubeconfig, "get", "pods").code).To(Equal(1))
		Expect(newMachine("late").runWith(strings.NewReader(open.stdout), "enroll", "-").code).To(Equal(1))

		By("inviting anew")
		again := inviter.run("invite", identity.Name)
		Expect(again.code).To(BeZero(), again.stderr)
		seen = phone.runWith(strings.NewReader(again.stdout), "enroll", "-", "--device", "phone", "--replace")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(phone.kubectl(phone.kubeconfig, "get", "pods").code).To(BeZero())
	})

	It("are as many as may be, each of a name of its own", func() {
		full := newIdentity("full", held, func(identity *v1alpha1.ClientIdentity) { identity.Spec.MaxDevices = ptr.To[int32](1) })
		enrolled(full, "phone")
		inviter := newPerson("inviter").may(full, "invite")
		Expect(inviter.run("invite", full.Name, "--device", "phone").stderr).To(ContainSubstring(`device "phone" of ClientIdentity "` + full.Name + `" has a valid certificate`))
		Expect(inviter.run("invite", full.Name).stderr).To(ContainSubstring("has 1 devices, and spec.maxDevices is 1"))
	})

	It("stay where their identity is withdrawn, and are nobody's then", func() {
		identity := newIdentity("gone-devices", held)
		phone := enrolled(identity, "phone")
		desk := newPerson("desk").may(identity, "withdraw").may(identity, "activate")
		Expect(desk.run("withdraw", identity.Name).code).To(BeZero())
		Expect(phone.kubectl(phone.kubeconfig, "get", "pods").code).To(Equal(1))
		Expect(newPerson("inviter").may(identity, "invite").run("invite", identity.Name).stderr).To(ContainSubstring("has no access, and no device can enrol"))
	})
})
