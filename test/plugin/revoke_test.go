// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/holder"
)

var _ = Describe("revoke", func() {
	It("cuts all copies off, and waits for the next kubeconfig", func() {
		identity := newIdentity("leaked", byCredential)
		copied := copyOf(identity)
		person := newPerson("desk").may(identity, "revoke")
		seen := person.run("revoke", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		after := get(identity.Name)
		Expect(after.Spec.RevokeIssuedBefore).NotTo(BeNil(), "the only certificate is revoked by time")
		Expect(after.Status.Certificate.Fingerprint).NotTo(Equal(copied.Fingerprint))
		Expect(seen.stdout).To(HavePrefix(fmt.Sprintf("%s: revoked certificate 1 (%.12s), the only one\n", identity.Name, copied.Fingerprint)))
		Expect(seen.stdout).To(ContainSubstring("It reaches the API server: The API server denies every request with certificates issued before "))
		Expect(seen.stdout).To(ContainSubstring("A new kubeconfig is in Secret client-identities/" + identity.Name + "-kubeconfig"))
		Expect(denied(copied.Connection())).To(BeTrue(), "the copy can do nothing")
		Expect(denied(copyOf(after).Connection())).To(BeFalse(), "the next kubeconfig authenticates, and is not denied")

		By("revoking twice at the same second")
		for range 2 {
			Expect(person.run("revoke", identity.Name, "--all").code).To(BeZero())
		}
	})

	It("revokes one certificate by the beginning of its fingerprint", func() {
		identity := newIdentity("single", byCredential)
		copied := copyOf(identity)
		person := newPerson("desk").may(identity, "revoke").may(identity, "renew")
		Expect(person.run("renew", identity.Name).code).To(BeZero())
		current := get(identity.Name).Status.Certificate.Fingerprint

		By("saying that there are two")
		seen := person.run("revoke", identity.Name)
		Expect(seen.code).To(Equal(1))
		for _, words := range []string{"has more than one thing to revoke", "--all ", "--device NAME", "--fingerprint TEXT", fmt.Sprintf("certificate 1 (%.12s)", copied.Fingerprint)} {
			Expect(seen.stderr).To(ContainSubstring(words))
		}

		seen = person.run("revoke", identity.Name, "--fingerprint", copied.Fingerprint[:12], "--reason", "seen in a chat")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(get(identity.Name).Spec.RevokedCertificates).To(Equal([]v1alpha1.RevokedCertificate{{Fingerprint: copied.Fingerprint, Reason: "seen in a chat"}}))
		Expect(seen.stdout).To(ContainSubstring("It reaches the API server"))
		Expect(seen.stdout).NotTo(ContainSubstring("A new kubeconfig"))
		Expect(get(identity.Name).Status.Certificate.Fingerprint).To(Equal(current), "the published one is another one")
		Expect(denied(copied.Connection())).To(BeTrue())

		By("revoking one that nobody knows")
		unknown := "X509SHA256=" + fmt.Sprintf("%064d", 7)
		seen = person.run("revoke", identity.Name, "--fingerprint", unknown)
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stderr).To(ContainSubstring("Warning: its status lists no such certificate"))
		Expect(get(identity.Name).Spec.RevokedCertificates).To(HaveLen(2), "what stood there stays")
	})

	It("is honest where it reaches nothing", func() {
		identity := newIdentity("unreached")
		copied := copyOf(identity)
		person := newPerson("desk").may(identity, "revoke").may(identity, "renew")
		Expect(person.run("renew", identity.Name).code).To(BeZero())
		unasked()
		seen := person.run("revoke", identity.Name, "--fingerprint", copied.Fingerprint)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(Equal(fmt.Sprintf("%s: revoked certificate 1 (%.12s)\n", identity.Name, copied.Fingerprint)))
		Expect(seen.stderr).To(ContainSubstring("what is revoked still has rights: "))
		Expect(denied(copied.Connection())).To(BeFalse(), "it is as the command says")
	})

	It("loses nothing of what several people revoke at once", func() {
		identity := newIdentity("crowd", byCredential)
		person := newPerson("desk").may(identity, "revoke")
		var wait sync.WaitGroup
		const people = 6
		codes := make([]int, people)
		for i := range people {
			wait.Go(func() {
				defer GinkgoRecover()
				codes[i] = person.run("revoke", identity.Name, "--wait=false", "--fingerprint", fmt.Sprintf("%064d", i)).code
			})
		}
		wait.Wait()
		Expect(codes).To(HaveEach(0))
		Expect(get(identity.Name).Spec.RevokedCertificates).To(HaveLen(people))
	})

	It("explains what to do with a full list", func() {
		identity := newIdentity("list")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			for i := range 64 {
				identity.Spec.RevokedCertificates = append(identity.Spec.RevokedCertificates, v1alpha1.RevokedCertificate{Fingerprint: fmt.Sprintf("%064d", i)})
			}
		})
		seen := newPerson("desk").may(identity, "revoke").run("revoke", identity.Name, "--fingerprint", identity.Status.Certificate.Fingerprint)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("has 64 certificates, and there is room for 64: remove the 64 that are not valid any more"))
		Expect(seen.stderr).To(ContainSubstring("kubectl clientidentity revoke " + identity.Name + " --all"))
	})

	It("changes nothing in a dry run, and for those who may not", func() {
		identity := newIdentity("dry")
		person := newPerson("desk").may(identity, "revoke")
		Expect(person.run("revoke", identity.Name, "--all", "--dry-run=server")).To(Equal(result{stdout: identity.Name + ": it is asked to revoke all certificates issued until now (server dry run)\n"}))
		viewer := newPerson("viewer").may(identity, "invite")
		seen := viewer.run("revoke", identity.Name, "--all")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring(fmt.Sprintf("patch clientidentities.clientidentity.dev %q", identity.Name)))
		Expect(get(identity.Name).Spec.RevokeIssuedBefore).To(BeNil())
		Expect(person.run("revoke", identity.Name, "--all", "--device", "a").code).To(Equal(1))
	})
})

// byCredential binds the role bindings of an identity to its credential.
func byCredential(identity *v1alpha1.ClientIdentity) {
	identity.Spec.BindTo = v1alpha1.BindToCredential
}

// copyOf returns a copy of what is published for an identity.
func copyOf(identity *v1alpha1.ClientIdentity) *holder.Copy {
	GinkgoHelper()
	copied, err := holder.Of(secretOf(identity))
	Expect(err).NotTo(HaveOccurred())
	return copied
}

// denied says whether the API server denies what every user may: to ask who one is.
func denied(connection *rest.Config) bool {
	GinkgoHelper()
	c, err := client.New(rest.CopyConfig(connection), client.Options{Scheme: manager.Scheme(), Mapper: admin.RESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	err = c.Create(ctx, selfReview())
	Expect(err == nil || apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	return err != nil
}
