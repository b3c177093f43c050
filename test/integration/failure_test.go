// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// signedBy chooses the signer.
func signedBy(signer string) func(*v1alpha1.ClientIdentity) {
	return func(identity *v1alpha1.ClientIdentity) { identity.Spec.SignerName = signer }
}

// allowApproval lets the operator approve requests for a signer, as an administrator does who runs one.
func allowApproval(signer string) {
	GinkgoHelper()
	name := uniqueName("approve")
	create(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{certificatesv1.GroupName}, Resources: []string{"signers"}, ResourceNames: []string{signer}, Verbs: []string{"approve"},
		}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: clusterRole(name), Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: operator.ServiceAccount},
		}})
}

// ownClock runs the operator with a clock of the spec until its end.
func ownClock() *clocktesting.FakePassiveClock {
	GinkgoHelper()
	clock := clocktesting.NewFakePassiveClock(time.Now())
	restartOperator(func(options *manager.Options) { options.Clock = clock })
	return clock
}

// step moves the clock on and makes the operator look: its timers run by the real one.
func step(clock *clocktesting.FakePassiveClock, by time.Duration, name string) {
	GinkgoHelper()
	clock.SetTime(clock.Now().Add(by))
	nudge(name)
}

var _ = Describe("A certificate request", func() {
	It("to a signer that the operator is not allowed to ask is never made: the identity stalls and says which flag to set", func() {
		name := uniqueName("not-allowed")
		create(newIdentity(name, signedBy("example.com/another")))
		words := `the operator may not ask signer "example.com/another" for certificates, only `
		Eventually(state(name, v1alpha1.ConditionStalled)).Should(And(
			begin(metav1.ConditionTrue, v1alpha1.ReasonSignerNotAllowed, words), ContainSubstring("--allowed-signers")))
		Expect(state(name, v1alpha1.ConditionReady)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonSignerNotAllowed, words))
		update(name, signedBy(certificatesv1.KubeAPIServerClientSignerName))
		expectUser(eventuallyReady(name))
		Expect(requestsOf(name)()).To(HaveLen(1))
	})

	It("that the operator may not approve says which right is missing, and goes on when somebody approves it", func() {
		name := uniqueName("forbidden")
		create(newIdentity(name, signedBy(nobodySigns)))
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonApprovalForbidden,
			`the operator may not approve requests for signer "example.com/nobody": grant its ServiceAccount approve on signers with this resourceName`))
		Expect(state(name, v1alpha1.ConditionStalled)()).To(BeEmpty())
		request := openRequest(name)
		Expect(get(name).Status.Issuance.CertificateSigningRequest).To(Equal(request.Name))
		decideOn(request, certificatesv1.CertificateApproved)
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonPending,
			`waiting for signer "example.com/nobody" to sign the certificate request`))
		Expect(openRequest(name).UID).To(Equal(request.UID))
	})

	It("that an administrator denies stalls, however long, until the spec changes or a renewal is requested", func() {
		name, clock := uniqueName("denied"), ownClock()
		create(newIdentity(name, signedBy(nobodySigns)))
		deny := func() {
			GinkgoHelper()
			Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonApprovalForbidden, ""))
			decideOn(openRequest(name), certificatesv1.CertificateDenied)
			denied := begin(metav1.ConditionFalse, v1alpha1.ReasonDenied, "the certificate request was denied (AdministratorDecided: not today): "+
				"change the spec or request a renewal (annotation clientidentity.dev/renew-requested-at) to ask again")
			Eventually(state(name, v1alpha1.ConditionReady)).Should(denied)
			Expect(state(name, v1alpha1.ConditionStalled)()).To(begin(metav1.ConditionTrue, v1alpha1.ReasonDenied, ""))
			Expect(state(name, v1alpha1.ConditionReconciling)()).To(BeEmpty())
		}
		deny()
		step(clock, 24*time.Hour, name)
		Consistently(requestsOf(name)).Should(HaveLen(1))
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration -= time.Hour })
		Eventually(requestsOf(name)).Should(HaveLen(2))
		deny()
		annotate(name, v1alpha1.RenewRequestedAtAnnotation)
		Eventually(requestsOf(name)).Should(HaveLen(3))
		deny()
		update(name, signedBy(certificatesv1.KubeAPIServerClientSignerName))
		expectUser(eventuallyReady(name))
		Expect(state(name, v1alpha1.ConditionStalled)()).To(BeEmpty())
	}, Serial)

	It("that is denied leaves the published credential in place", func() {
		name := uniqueName("denied-renewal")
		create(newIdentity(name))
		before := eventuallyReady(name)
		update(name, signedBy(nobodySigns))
		decideOn(openRequest(name), certificatesv1.CertificateDenied)
		Eventually(state(name, v1alpha1.ConditionCertificateIssued)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonDenied, "the certificate request was denied"))
		Expect(message(get(name), v1alpha1.ConditionCertificateIssued)).To(ContainSubstring("the published certificate is valid until "))
		expectUser(before)
		Expect(get(name).Status.Certificate).To(Equal(before.Status.Certificate))
	})

	It("to a signer that nobody serves is made once: the identity says so after ten minutes, and goes on with another one", func() {
		allowApproval(unserved)
		name, clock := uniqueName("unserved"), ownClock()
		create(newIdentity(name, signedBy(unserved)))
		request := openRequest(name)
		step(clock, time.Minute, name)
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonPending,
			`waiting for signer "example.com/unserved" to sign the certificate request`))
		step(clock, 10*time.Minute, name)
		words := `signer "example.com/unserved" has not signed an approved request for ten minutes: check that somebody serves it`
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSignerNotServing, words))
		step(clock, 12*time.Hour, name)
		Consistently(requestsOf(name)).Should(ConsistOf(request.Name))
		Expect(uidOf(request)()).To(Equal(request.UID))
		Expect(state(name, v1alpha1.ConditionReady)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonSignerNotServing, words))

		update(name, signedBy(certificatesv1.KubeAPIServerClientSignerName))
		eventuallyReady(name)
		Expect(uidOf(request)()).To(BeEmpty(), "the request that nobody waits for is still open")
	}, Serial)

	It("that somebody deletes is made again after a while, which the status tells", func() {
		allowApproval(unserved)
		name := uniqueName("lost")
		create(newIdentity(name, signedBy(unserved)))
		lost := openRequest(name)
		Eventually(func() []certificatesv1.CertificateSigningRequestCondition { return openRequest(name).Status.Conditions }).ShouldNot(BeEmpty())
		Expect(admin.Delete(ctx, lost)).To(Succeed())
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonRequestLost,
			"the CertificateSigningRequest was deleted before it was signed; attempt 1 failed at "))
		issuance := get(name).Status.Issuance
		Expect(issuance.FailedAttempts).To(BeEquivalentTo(1))
		Expect(issuance.CertificateSigningRequest).To(BeEmpty())
		again := openRequest(name)
		Expect(again.UID).NotTo(Equal(lost.UID))
		Expect(again.CreationTimestamp.Time).NotTo(BeTemporally("<", issuance.LastFailureTime.Add(9*time.Second)), "it did not back off")
		update(name, signedBy(certificatesv1.KubeAPIServerClientSignerName))
		Expect(eventuallyReady(name).Status.Issuance).To(BeNil())
	})

	It("is open once at a time, whatever happens to the spec and to the operator", func() {
		allowApproval(unserved)
		name := uniqueName("once")
		seen := record(&certificatesv1.CertificateSigningRequestList{}, client.MatchingLabels(ourLabels(name)))
		create(newIdentity(name, signedBy(unserved)))
		for range 3 {
			before := openRequest(name)
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration -= time.Hour })
			Eventually(uidOf(before)).Should(BeEmpty())
			before = openRequest(name)
			stopOperator()
			startOperator()
			Eventually(uidOf(before)).Should(BeEmpty())
		}
		update(name, signedBy(certificatesv1.KubeAPIServerClientSignerName))
		eventuallyReady(name)
		Eventually(seen.created).Should(BeNumerically(">=", 7))
		Expect(seen.mostOpen()).To(Equal(1))
	}, Serial)

	It("whose certificate the API server does not accept publishes nothing, and the old credential stays", func() {
		name, fresh := uniqueName("untrusted"), uniqueName("untrusted-fresh")
		create(newIdentity(name))
		before := eventuallyReady(name)
		trusted := cp.ClientCA()
		stranger, err := controlplane.NewCA("stranger", time.Hour*24*365)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() {
			if cp.ClientCA() != trusted {
				Expect(cp.UseSigningCA(ctx, trusted)).To(Succeed())
			}
		})
		Expect(cp.UseSigningCA(ctx, stranger)).To(Succeed())
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration -= time.Hour })
		create(newIdentity(fresh))
		words := `the API server does not accept certificates of signer "kubernetes.io/kube-apiserver-client" (issuer "CN=stranger"): its CA must be in the API server's --client-ca-file`
		Eventually(state(name, v1alpha1.ConditionCertificateIssued)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonNotAccepted, words))
		Eventually(state(fresh, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonNotAccepted, words))
		Expect(secretsOf(fresh)()).To(BeEmpty())
		Expect(publishedSecret(get(name)).Data[v1alpha1.CertificateKey]).To(Equal(publishedSecret(before).Data[v1alpha1.CertificateKey]))
		expectUser(get(name))

		Expect(cp.UseSigningCA(ctx, trusted)).To(Succeed())
		expectUser(eventuallyReady(fresh))
		expectUser(eventuallyRenewed(before))
	}, Serial)

	It("that the API server refuses says why, and is made again after a while", func() {
		name := uniqueName("refused")
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ObjectSelector: &metav1.LabelSelector{MatchLabels: ourLabels(name)},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule: admissionregistrationv1.Rule{
						APIGroups: []string{certificatesv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"certificatesigningrequests"},
					},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "no certificates today"}},
		}}
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}}
		create(policy, binding)
		probe := newIdentity(name, signedBy(nobodySigns))
		Eventually(func() error { return admin.Create(ctx, plantedRequest(probe, nil), client.DryRunAll) }).Should(
			MatchError(ContainSubstring("no certificates today")))

		create(newIdentity(name))
		Eventually(state(name, v1alpha1.ConditionReady)).Should(And(
			begin(metav1.ConditionFalse, v1alpha1.ReasonRequestRejected, "the API server rejects the certificate request: "),
			ContainSubstring("no certificates today; attempt 1 failed at ")))
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		identity := eventuallyReady(name)
		Expect(identity.Status.Issuance).To(BeNil())
		expectUser(identity)
	})
})
