// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// states are the identities of the fixture that are not ready, and why.
var states = map[string]string{
	"frank":    "Withdrawn StateWithdrawn",
	"leo":      "Waiting SecretConflict",
	"mia":      "Waiting NamespaceMissing",
	"namesake": "Waiting UsernameInUse",
	"olga":     "Stalled SignerNotAllowed",
}

// changed returns what is not as it was, but for requests: those that are done go after an hour; and the identity leo, which never
// had a credential, is asked for anew by each operator, since the key is in the memory of the one before.
func (w *world) changed(before picture) []string {
	GinkgoHelper()
	return slices.DeleteFunc(w.take().differences(before), func(difference string) bool {
		return strings.HasPrefix(difference, request+"leo-") || strings.HasPrefix(difference, request) && strings.HasSuffix(difference, "\n  is  ")
	})
}

// apply applies the manifests as they are here, but for the configuration of the webhook, which calls a Service.
func (w *world) apply() {
	GinkgoHelper()
	Expect(operator.ApplyWithoutWebhook(w, w.cp, fixture.Overlay)).To(Succeed())
}

// applyFormer applies the manifests of the release before, but for that.
func (w *world) applyFormer() {
	GinkgoHelper()
	manifests, err := os.ReadFile(filepath.Join(root, fixture.Previous, fixture.ManifestsFile))
	Expect(err).NotTo(HaveOccurred())
	_, err = operator.Kubectl(w, w.cp, strings.NewReader(operator.WithoutWebhook(string(manifests))), "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}

// worksOn changes identities, and expects of each what it is to become.
func (w *world) worksOn() {
	GinkgoHelper()
	By("renewing a credential, with another key")
	renewed := w.reissued("heidi", renew)
	Expect(w.holderOf(w.kubeconfigOf(renewed))).To(HavePrefix("system:heidi [system:authenticated system:automation]"))
	By("adding a group")
	changed := w.reissued("alice", func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = append(identity.Spec.Groups, "more") })
	Expect(w.holderOf(w.kubeconfigOf(changed))).To(HavePrefix("alice@example.com [developers more on-call system:authenticated]"))
	By("revoking what was issued before")
	bob := w.get("bob")
	copied := w.kubeconfigOf(bob)
	Expect(w.holderOf(copied)).To(ContainSubstring("development: 29 rules"))
	revoked := w.reissued("bob", func(identity *v1alpha1.ClientIdentity) {
		identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now().UTC().Truncate(time.Second)}
	})
	Expect(w.holderOf(copied)).NotTo(ContainSubstring("development: 29 rules"))
	Expect(w.holderOf(w.kubeconfigOf(revoked))).To(ContainSubstring("development: 29 rules"))
	By("activating an identity that was withdrawn")
	w.change("frank", func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })
	Eventually(func() v1alpha1.ObservedState { return w.get("frank").Status.State }).Should(Equal(v1alpha1.ObservedReady))
}

var _ = Describe("A rolling upgrade from the release before, and back", Ordered, func() {
	var (
		w         *world
		before    picture
		ours      *process
		theirs    *process // nil where it cannot be built
		endpoints *service
	)

	// alternate sends requests to both in turn, and expects an answer to each: they share a certificate.
	alternate := func() {
		GinkgoHelper()
		certificate := w.certificate()
		for _, p := range []*process{ours, theirs, ours, theirs} {
			endpoints.to(p)
			for range 20 {
				Expect(endpoints.answers()).To(Succeed())
			}
		}
		Expect(w.certificate().Data).To(Equal(certificate.Data), "the certificate of the webhook")
	}

	BeforeAll(func() {
		w = begin()
		before = w.take()
	})

	It("begins with what that release left", func() {
		identities := &v1alpha1.ClientIdentityList{}
		Expect(w.admin.List(w, identities)).To(Succeed())
		Expect(len(identities.Items)).To(BeNumerically(">=", 15))
		for _, identity := range identities.Items {
			want, is := states[identity.Name]
			if !is {
				want = "Ready"
			}
			Expect(string(identity.Status.State)+" "+identity.Status.StateReason).To(HavePrefix(want), identity.Name)
		}
		Expect(w.release.Copies).To(HaveLen(4))
		for _, manifests := range []string{fixture.Overlay, "config/default"} {
			_, err := operator.Kubectl(w, w.cp, nil, "apply", "--dry-run=server", "-k", manifests)
			Expect(err).NotTo(HaveOccurred(), "all of it can be applied")
		}
	})

	It("leaves every credential as it is, and no request for an identity is without an answer", func() {
		leader := ""
		endpoints = w.newService()
		if binary, err := former(w, w.release); err == nil {
			theirs = w.start(binary, w.mount())
			endpoints.to(theirs)
			leader = w.eventuallyLed()
		}
		w.apply()
		ours = w.start(current)
		if theirs != nil {
			alternate()
			Expect(w.leader()).To(Equal(leader), "one of two works")
			endpoints.to(ours)
			theirs.stop()
		}
		endpoints.to(ours)
		w.eventuallyLed(leader)
		Consistently(w.changed).WithArguments(before).Should(BeEmpty())
	})

	It("works on with the identities", func() { w.worksOn() })

	It("leaves what it has made as it is on the way back", func() {
		binary, err := former(w, w.release)
		if err != nil {
			Skip("NOT TESTED: the operator of " + w.release.Release + " cannot be built: " + err.Error())
		}
		made, leader := w.take(), w.leader()
		w.applyFormer()
		theirs = w.start(binary, w.mount())
		alternate()
		endpoints.to(theirs)
		ours.stop()
		w.eventuallyLed(leader)
		Consistently(w.changed).WithArguments(made).Should(BeEmpty())
		renewed := w.reissued("heidi", renew)
		Expect(w.holderOf(w.kubeconfigOf(renewed))).To(HavePrefix("system:heidi "), "after the downgrade")
	})
})

func renew(identity *v1alpha1.ClientIdentity) {
	metav1.SetMetaDataAnnotation(&identity.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, time.Now().String())
}
