// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// label puts a request under an identity, or under none.
func (s *sent) label(identity string) {
	GinkgoHelper()
	request := s.now()
	before := client.MergeFrom(request.DeepCopy())
	request.Labels = nil
	if identity != "" {
		request.Labels = map[string]string{v1alpha1.IdentityLabel: identity}
	}
	Expect(admin.Patch(ctx, request, before)).To(Succeed())
}

// expectPassed waits until the operator has seen all that was sent about an identity so far: it decides about what comes later.
func expectPassed(identity *v1alpha1.ClientIdentity) {
	GinkgoHelper()
	ask(identity, "later", inGroups("admins")).by(cp.Config()).expectDenied(holder.ReasonSubjectMismatch)
}

// asNode is how a kubelet connects.
func asNode() *rest.Config {
	GinkgoHelper()
	node, err := cp.ConfigFor("system:node:worker", "system:nodes")
	Expect(err).NotTo(HaveOccurred())
	return node
}

// forKubelet asks for a node's certificate, as a kubelet does.
func forKubelet(a *asked) {
	a.name, a.identity, a.lifetime = uniqueName("csr"), "", nil
	a.signer = certificatesv1.KubeAPIServerClientKubeletSignerName
	a.subject = certificate.Subject{Username: "system:node:worker", Groups: []string{"system:nodes"}}
}

var _ = Describe("A request of somebody else", func() {
	It("is left untouched, though it has the label of an identity", func() {
		identity := enrollable("foreign")
		carol, err := cp.ConfigFor("carol@example.com", "system:masters")
		Expect(err).NotTo(HaveOccurred())
		kubelet := ask(identity, "kubelet", forKubelet).by(asNode())
		own := ask(identity, "carol", func(a *asked) {
			a.name, a.identity, a.subject = uniqueName("carol"), "", certificate.Subject{Username: "carol@example.com"}
		}).by(carol)
		kubelet.label(identity.Name)
		own.label(identity.Name)
		born := ask(identity, "kubelet", forKubelet, func(a *asked) { a.identity = identity.Name }).by(asNode())
		expectPassed(identity)
		for _, request := range []*sent{kubelet, own, born} {
			request.expectUntouched()
		}
		Expect(get(identity.Name).Status.Devices).To(BeEmpty())
	})

	It("is denied under the name of a device", func() {
		identity := enrollable("planted")
		ask(identity, "kubelet").by(asNode()).expectDenied(holder.ReasonNotEntitled, "system:node:worker")
	})

	It("is denied or left alone where it is for another signer", func() {
		identity := enrollable("signer")
		laptop := enrol(identity, "laptop")
		request := ask(identity, "laptop", func(a *asked) { a.signer = "example.com/another" }).by(laptop.connection())
		expectPassed(identity)
		By("the operator not being allowed to deny it, and saying that")
		request.expectUntouched()
		Eventually(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(admin.List(ctx, &events, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(
				HaveField("Regarding.Name", identity.Name), HaveField("Note", ContainSubstring("example.com/another")),
			)))
		}).Should(Succeed())
		renew(identity, laptop)
	})
})

var _ = Describe("A request that somebody changes after it was made", func() {
	It("gets nothing where it is put under another identity", func() {
		identity, other := enrollable("moved"), enrollable("target")
		laptop := enrol(identity, "laptop")
		enrol(other, "laptop")
		var request *sent
		withoutOperator(func() {
			later()
			request = ask(identity, "laptop").by(laptop.connection())
			request.label(other.Name)
		})
		expectPassed(identity)
		expectPassed(other)
		Expect(condition(request.now(), certificatesv1.CertificateApproved)).To(BeNil())
		Expect(get(other.Name).Status.Devices).To(HaveLen(1))
		By("the device asking again for its key")
		later()
		eventuallyHas(identity.Name, ask(identity, "laptop", withKey(request.key)).by(laptop.connection()).issued())
		expectUnnoticed(identity.Name)
	})

	DescribeTable("gets nothing where that happens between decision and approval", func(method, suffix string) {
		identity, other := enrollable("between"), enrollable("target")
		laptop := enrol(identity, "laptop")
		first := ask(identity, "laptop")
		release, waiting := transport.Hold(func(r *http.Request) bool {
			return r.Method == method && strings.HasSuffix(r.URL.Path, "/certificatesigningrequests/"+first.name+suffix)
		})
		DeferCleanup(release)
		later()
		request := first.by(laptop.connection())
		Eventually(waiting).Should(BeClosed())
		request.label(other.Name)
		release()
		expectPassed(identity)
		expectPassed(other)
		Expect(condition(request.now(), certificatesv1.CertificateApproved)).To(BeNil())
		By("the device asking again for its key")
		later()
		eventuallyHas(identity.Name, ask(identity, "laptop", withKey(first.key)).by(laptop.connection()).issued())
		expectUnnoticed(identity.Name)
	},
		Entry("before the operator reads it for the last time", http.MethodGet, ""),
		Entry("before the operator writes that it is approved", http.MethodPut, "/approval"),
	)

	It("is approved where it gets its label later", func() {
		identity := enrollable("late")
		laptop := enrol(identity, "laptop")
		request := ask(identity, "laptop", func(a *asked) { a.identity = "" }).by(laptop.connection())
		expectPassed(identity)
		request.expectUntouched()
		later()
		request.label(identity.Name)
		eventuallyHas(identity.Name, request.issued())
	})

	It("is denied where the label is another identity's from the start", func() {
		identity, other := enrollable("mine"), enrollable("theirs")
		laptop := enrol(identity, "laptop")
		// Whichever of the two is looked at first says so.
		ask(identity, "laptop", func(a *asked) { a.name = holder.RequestName(other.Name, "laptop") }).
			by(laptop.connection()).expectDenied(holder.ReasonNameMismatch, identity.Name, "make another one")
		renew(identity, laptop)
	})
})
