// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/test/operator"
)

// Every request is exactly as it may be here: its maker may not make it.
var _ = Describe("Who makes a request", func() {
	It("gets a certificate by one of three ways", func() {
		identity := enrollable("entitled")
		By("an invitation")
		laptop := ask(identity, "laptop").by(invite(identity)).issued()
		eventuallyHas(identity.Name, laptop)
		By("the device's own credential")
		laptop = renew(identity, laptop)
		By("who may impersonate the user and its groups")
		desktop := enrol(identity, "desktop")

		for _, c := range []*credential{laptop, desktop} {
			user, err := operator.WhoAmI(ctx, c.connection())
			Expect(err).NotTo(HaveOccurred())
			Expect(user.Username).To(Equal(identity.Spec.Username))
			Expect(user.Groups).To(ContainElements("developers"))
		}
		var requesters []string
		for _, issued := range get(identity.Name).Status.Certificates {
			requesters = append(requesters, issued.Device+" "+issued.RequestedBy)
		}
		ref := get(identity.Name).Status.EnrolmentRef
		Expect(requesters).To(ConsistOf(
			"laptop system:serviceaccount:"+ref.Namespace+":"+ref.Name, "laptop "+identity.Spec.Username, "desktop controlplane-admin",
		))
	})

	It("is denied as another identity's user", func() {
		identity, other := enrollable("victim"), enrollable("mallory")
		enrol(identity, "laptop")
		mallory := enrol(other, "laptop")
		By("for a new device, and for one that there is")
		ask(identity, "phone").by(mallory.connection()).expectDenied(holder.ReasonNotEntitled, other.Spec.Username, identity.Name, "invitation")
		ask(identity, "laptop").by(mallory.connection()).expectDenied(holder.ReasonNotEntitled)
		By("under the name of his own identity")
		ask(identity, "laptop", func(a *asked) { a.name, a.identity = holder.RequestName(other.Name, "laptop"), other.Name }).
			by(mallory.connection()).expectDenied(holder.ReasonSubjectMismatch)
		renew(other, mallory)
	})

	It("is denied as the right user without a credential id", func() {
		identity := enrollable("impersonated")
		enrol(identity, "laptop")
		for _, device := range []string{"laptop", "phone"} {
			ask(identity, device).by(impersonating(identity.Spec.Username, "developers", "system:masters")).
				expectDenied(holder.ReasonCredentialUnknown, "not made with a client certificate", "invitation")
		}
	})

	It("is denied as the right user with a certificate that is not of the device", func() {
		identity := enrollable("unknown")
		laptop, desktop := enrol(identity, "laptop"), enrol(identity, "desktop")
		foreign, err := cp.ConfigFor(identity.Spec.Username, "developers", "system:masters")
		Expect(err).NotTo(HaveOccurred())
		By("one that somebody else issued")
		ask(identity, "laptop").by(foreign).expectDenied(holder.ReasonCredentialUnknown, "laptop")
		ask(identity, "phone").by(foreign).expectDenied(holder.ReasonCredentialUnknown, "phone")
		By("that of another device")
		ask(identity, "laptop").by(desktop.connection()).expectDenied(holder.ReasonCredentialUnknown, "laptop")
		ask(identity, "phone").by(desktop.connection()).expectDenied(holder.ReasonCredentialUnknown, "phone")
		By("nobody being suspended for that")
		renew(identity, laptop)
		renew(identity, desktop)
	})

	It("is denied with a credential that has ended by the operator's clock", func() {
		identity := enrollable("expired")
		laptop := enrol(identity, "laptop")
		skewed(2 * time.Hour)
		ask(identity, "laptop").by(laptop.connection()).expectDenied(holder.ReasonCredentialExpired, "has ended", "invitation")
	})

	It("is denied with a credential that is revoked, or that of another of the device", func() {
		identity := enrollable("revoked")
		first := enrol(identity, "laptop")
		laptop, desktop := renew(identity, first), enrol(identity, "desktop")
		revoke := func(c *credential) {
			update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RevokedCertificates = []v1alpha1.RevokedCertificate{{Fingerprint: c.fingerprint}}
			})
			Eventually(func() v1alpha1.DeviceState { return device(identity.Name, c.device).State }).Should(Equal(v1alpha1.DeviceRevoked))
			ask(identity, "laptop").by(laptop.connection()).expectDenied(holder.ReasonCredentialRevoked, `device "laptop" is revoked`, "invitation")
		}
		By("the one before")
		revoke(first)
		By("the newest")
		revoke(laptop)
		By("another device going on")
		desktop = renew(identity, desktop)
		By("all of them, by revokeIssuedBefore")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RevokeIssuedBefore = ptr.To(metav1.NewTime(time.Now().Truncate(time.Second)))
		})
		current := eventuallyReady(identity.Name)
		ask(current, "desktop").by(desktop.connection()).expectDenied(holder.ReasonCredentialRevoked, `device "desktop" is revoked`, "invitation")
	})

	It("is denied as nobody in particular, who may make requests", func() {
		identity := enrollable("somebody")
		user := uniqueName("eve") + "@example.com"
		bindRole(v1alpha1.HolderClusterRole, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
		eve, err := cp.ConfigFor(user)
		Expect(err).NotTo(HaveOccurred())
		ask(identity, "laptop").by(eve).expectDenied(holder.ReasonNotEntitled, user, "impersonate")
	})

	It("is denied to an administrator who may impersonate the user and not each of its groups", func() {
		identity := enrollable("half", func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"developers", "deployers"} })
		user := uniqueName("ann") + "@example.com"
		create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{identity.Spec.Username}, Verbs: []string{"impersonate"}},
			{APIGroups: []string{""}, Resources: []string{"groups"}, ResourceNames: []string{"developers"}, Verbs: []string{"impersonate"}},
		}})
		bindRole(user, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
		ann, err := cp.ConfigFor(user)
		Expect(err).NotTo(HaveOccurred())
		ask(identity, "laptop").by(ann).expectDenied(holder.ReasonNotEntitled, user, "impersonate the user and each of its groups")
	})
})
