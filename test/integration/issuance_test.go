// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("Issuance", func() {
	DescribeTable("publishes a kubeconfig that authenticates as exactly the user and groups of the spec",
		func(key v1alpha1.PrivateKey, algorithm x509.PublicKeyAlgorithm, bits int) {
			name := uniqueName("key")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Groups = []string{"developers", "team-a"}
				identity.Spec.PrivateKey = key
			}))
			identity := eventuallyReady(name)
			expectUser(identity)
			certificate := publishedCertificate(identity)
			Expect(certificate.PublicKeyAlgorithm).To(Equal(algorithm))
			switch public := certificate.PublicKey.(type) {
			case *ecdsa.PublicKey:
				Expect(public.Curve.Params().BitSize).To(Equal(bits))
			case *rsa.PublicKey:
				Expect(public.N.BitLen()).To(Equal(bits))
			default:
				Expect(bits).To(BeZero())
			}
		},
		Entry("with the default key", v1alpha1.PrivateKey{}, x509.ECDSA, 256),
		Entry("with an ECDSA key on P-384", v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA, Size: 384}, x509.ECDSA, 384),
		Entry("with an ECDSA key on P-521", v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA, Size: 521}, x509.ECDSA, 521),
		Entry("with an RSA key", v1alpha1.PrivateKey{Algorithm: v1alpha1.RSA}, x509.RSA, 2048),
		Entry("with an RSA key of 3072 bits", v1alpha1.PrivateKey{Algorithm: v1alpha1.RSA, Size: 3072}, x509.RSA, 3072),
		Entry("with an Ed25519 key", v1alpha1.PrivateKey{Algorithm: v1alpha1.Ed25519}, x509.Ed25519, 0),
	)

	It("renews on request, with a new key, and answers requests in quick succession at once", func() {
		name := uniqueName("renew")
		create(newIdentity(name))
		before := eventuallyReady(name)
		oldKey := keyDigest(before)
		requestRenewal(name)
		requestRenewal(name)
		requestRenewal(name)
		after := eventuallyRenewed(before)
		Expect(after.Status.Certificate.Revision).To(BeEquivalentTo(2))
		Expect(keyDigest(after)).NotTo(Equal(oldKey))
		Expect(after.Status.LastHandledRenewRequest).To(Equal(after.Annotations[v1alpha1.RenewRequestedAtAnnotation]))
		expectUser(after)
		Consistently(requestsOf(name), "1s").Should(HaveLen(2))
	})

	It("waits while an older identity has the username, and goes on when that is gone", func() {
		namespace := createNamespace("shared", nil)
		olderName, youngerName := uniqueName("a-older"), uniqueName("b-younger")
		username := olderName + "@example.com"
		older := newIdentity(olderName)
		create(older)
		eventuallyReady(olderName)
		create(newIdentity(youngerName, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Username = username
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
		}))
		Eventually(func() *v1alpha1.ClientIdentity { return get(youngerName) }).Should(And(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUsernameInUse),
			haveCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonUsernameInUse),
			haveCondition(v1alpha1.ConditionAccessBound, metav1.ConditionFalse, v1alpha1.ReasonUsernameInUse),
		))
		Expect(message(get(youngerName), v1alpha1.ConditionReady)).To(Equal(
			`ClientIdentity "` + olderName + `", which is older, has the username "` + username + `": delete one of them, or set bindTo: Credential on both`))
		Consistently(requestsOf(youngerName), "1s").Should(BeEmpty())
		Expect(eventuallyReady(olderName).Status.Certificate.Revision).To(BeEquivalentTo(1), "the older one goes on")

		Expect(admin.Delete(ctx, older)).To(Succeed())
		younger := eventuallyReady(youngerName)
		expectUser(younger)
		Expect(younger.Status.BoundBindings).To(BeEquivalentTo(1))
	})

	It("does not wait for an identity with the same username where both are bound to their credentials", func() {
		one, other := uniqueName("credential"), uniqueName("credential")
		for _, name := range []string{one, other} {
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Username = one + "@example.com"
				identity.Spec.BindTo = v1alpha1.BindToCredential
			}))
		}
		Expect(publishedCertificate(eventuallyReady(one)).Subject.CommonName).To(Equal(one + "@example.com"))
		Expect(publishedCertificate(eventuallyReady(other)).Subject.CommonName).To(Equal(one + "@example.com"))
	})

	It("waits for the namespace of the Secret, and asks for nothing until it is there", Serial, func() {
		// The installer has let the operator write into a namespace that does not exist yet.
		missing := uniqueName("missing")
		create(
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: missing}, Rules: secretRights()},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: missing},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: missing},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operator.Namespace, Name: operator.ServiceAccount}},
			})
		restartOperator(func(options *manager.Options) {
			options.SecretNamespaces = []string{operator.SecretNamespace, missing}
		})
		bound := createNamespace("bound", nil)
		name := uniqueName("waits")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Secret.Namespace = missing
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(bound)}
		}))
		Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).Should(And(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNamespaceMissing),
			haveCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonSecretNamespaceMissing),
			haveCondition(v1alpha1.ConditionAccessBound, metav1.ConditionTrue, v1alpha1.ReasonBound),
		))
		Expect(message(get(name), v1alpha1.ConditionReady)).To(Equal(
			`namespace "` + missing + `" for the Secret does not exist: create it, or set spec.secret.namespace`))
		Consistently(requestsOf(name), "1s").Should(BeEmpty())

		create(newNamespace(missing))
		expectUser(eventuallyReady(name))
	})

	Context("while nobody signs", Serial, func() {
		BeforeEach(func() {
			Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
			DeferCleanup(func() { Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed()) })
		})

		It("gives a request up for one of what the spec asks for by now", func() {
			name := uniqueName("changed")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"developers"} }))
			first := eventuallyRequested(name, "")
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"team-a"} })
			second := eventuallyRequested(name, first)
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.TTL.Duration = time.Hour })
			third := eventuallyRequested(name, second)

			By("changing what is not in the certificate: the request stays")
			update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Kubeconfig.ClusterName = "staging" })
			Consistently(func() string { return eventuallyRequested(name, "") }, "1s").Should(Equal(third))

			Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
			identity := eventuallyReady(name)
			expectUser(identity)
			Expect(publishedKubeconfig(identity).Clusters).To(HaveKey("staging"))
			Expect(identity.Status.Certificate.RequestedTTL.Duration).To(Equal(time.Hour))
			Expect(signingRequests(name)).To(HaveLen(1))
		})

		It("says so, with the request, and asks only once", func() {
			name := uniqueName("unsigned")
			create(newIdentity(name))
			request := eventuallyRequested(name, "")
			Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).Should(And(
				haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPending),
				haveCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonPending),
			))
			identity := get(name)
			Expect(identity.Status.Issuance.CertificateSigningRequest).To(Equal(request))
			Expect(identity.Status.SecretRef).To(BeNil(), "a key that is published before its certificate")
			Expect(signingRequests(name)).To(HaveLen(1))

			Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
			signed := eventuallyReady(name)
			Expect(signed.Status.Issuance).To(BeNil())
			Expect(signingRequests(name)).To(HaveLen(1))
		})

		It("tells a holder whose renewal waits nothing but that it waits, and does not look all the time", func() {
			Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
			name := uniqueName("waits")
			create(newIdentity(name, renewsSoon))
			before := eventuallyReady(name)
			Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
			Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).
				Should(haveCondition(v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonPending))
			identity := get(name)
			Expect(identity).To(haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady))
			Expect(conditionTypes(identity)).To(ConsistOf(
				v1alpha1.ConditionReady, v1alpha1.ConditionCertificateIssued, v1alpha1.ConditionAccessBound))
			expectUser(identity)
			looks := reconciles()
			Consistently(func() float64 { return reconciles() - looks }).Should(BeNumerically("<", 3))

			Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed())
			expectUser(eventuallyRenewed(before))
		})
	})
})
