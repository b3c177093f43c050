// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
)

// plantedFinalizer is somebody else's.
const plantedFinalizer = "example.com/hold"

// Signers that nobody serves. The operator may not approve requests for nobodySigns; for unserved, it may in the specs
// that call allowApproval.
const (
	nobodySigns = "example.com/nobody"
	unserved    = "example.com/unserved"
)

// plantedRequest returns a CertificateSigningRequest with our labels for a user of somebody's choice.
func plantedRequest(identity *v1alpha1.ClientIdentity, owners []metav1.OwnerReference) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA, Size: 256})
	Expect(err).NotTo(HaveOccurred())
	request, err := certificate.NewRequest(key, certificate.Subject{Username: identity.Spec.Username})
	Expect(err).NotTo(HaveOccurred())
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: identity.Name + "-planted", Labels: ourLabels(identity.Name), OwnerReferences: owners},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: identity.Spec.SignerName,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}
}

var _ = Describe("What somebody else planted", func() {
	Context("as a CertificateSigningRequest", func() {
		It("is deleted unapproved where it claims to be the identity's", func() {
			name := uniqueName("forged-csr")
			create(newIdentity(name))
			identity := eventuallyReady(name)
			seen := record(&certificatesv1.CertificateSigningRequestList{}, client.MatchingLabels(ourLabels(name)))
			planted := plantedRequest(identity, forgedOwner(identity))
			create(planted)
			Eventually(uidOf(planted)).Should(BeEmpty())
			for _, event := range seen.seen() {
				if csr := event.Object.(*certificatesv1.CertificateSigningRequest); csr.UID == planted.UID {
					Expect(csr.Status.Conditions).To(BeEmpty(), "somebody decided on the planted request")
				}
			}
		})

		It("is left alone, unapproved, where it only has our labels", func() {
			name := uniqueName("labelled-csr")
			create(newIdentity(name))
			planted := plantedRequest(eventuallyReady(name), nil)
			create(planted)
			reissue(name)
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(planted), planted)).To(Succeed())
			Expect(planted.Status.Conditions).To(BeEmpty())
		})
	})

	Context("as a Secret of the wanted name", func() {
		It("is named and never overwritten, costs one certificate at most, and is waited for", func() {
			name := uniqueName("taken-secret")
			planted := plantedSecret(name)
			create(planted, newIdentity(name))
			words := `secret "client-identities/` + name + `-kubeconfig" exists and is not owned by this ClientIdentity: delete it or choose another spec.secret.name`
			Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretConflict, words))
			Expect(state(name, v1alpha1.ConditionCertificateIssued)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretConflict, words))
			Consistently(requestsOf(name), 2*slowLook).Should(HaveLen(1))
			now := &corev1.Secret{}
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(planted), now)).To(Succeed())
			Expect(now.ResourceVersion).To(Equal(planted.ResourceVersion), "the planted Secret was written to")

			Expect(admin.Delete(ctx, planted)).To(Succeed())
			expectUser(eventuallyReady(name))
			Expect(requestsOf(name)()).To(HaveLen(1))
		})

		It("is no credential, however valid its content, where it takes the place of the published one", func() {
			name := uniqueName("swapped-secret")
			create(newIdentity(name))
			before := eventuallyReady(name)
			other, err := cp.ConfigFor(before.Spec.Username)
			Expect(err).NotTo(HaveOccurred())
			planted := plantedSecret(name)
			planted.Data = map[string][]byte{v1alpha1.CertificateKey: other.CertData, v1alpha1.PrivateKeyKey: other.KeyData, "kubeconfig": fileOf(other)}
			stopOperator()
			Expect(admin.Delete(ctx, publishedSecret(before))).To(Succeed())
			create(planted)
			startOperator()
			Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretConflict, "secret "))
			Expect(uidOf(planted)()).To(Equal(planted.UID))

			Expect(admin.Delete(ctx, planted)).To(Succeed())
			after := eventuallyReady(name)
			Expect(leafOf(publishedSecret(after).Data[v1alpha1.CertificateKey]).Equal(leafOf(other.CertData))).To(BeFalse(), "the planted certificate is published")
			expectUser(after)
		}, Serial)

		DescribeTable("is replaced, with all that was on it, where it claims to be the identity's",
			func(labels func(string) map[string]string) {
				name := uniqueName("forged-secret")
				create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.SignerName = nobodySigns }))
				openRequest(name)
				planted := plantedSecret(name)
				planted.Type = "example.com/planted"
				planted.Labels = labels(name)
				planted.Annotations = map[string]string{"example.com/backdoor": "open"}
				planted.OwnerReferences = forgedOwner(get(name))
				Expect(admin.Create(ctx, planted)).To(Succeed())

				update(name, func(identity *v1alpha1.ClientIdentity) {
					identity.Spec.SignerName = certificatesv1.KubeAPIServerClientSignerName
				})
				identity := eventuallyReady(name)
				secret := publishedSecret(identity)
				Expect(secret.UID).NotTo(Equal(planted.UID))
				Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
				Expect(secret.Annotations).NotTo(HaveKey("example.com/backdoor"))
				Expect(secret.Data).NotTo(HaveKey("planted"))
				expectUser(identity)
			},
			Entry("with our labels", ourLabels),
			Entry("without our labels", func(string) map[string]string { return nil }),
		)

		It("is waited for where it claims to be the identity's and a finalizer holds it", func() {
			name := uniqueName("held-secret")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.SignerName = nobodySigns }))
			openRequest(name)
			planted := plantedSecret(name)
			planted.OwnerReferences = forgedOwner(get(name))
			planted.Finalizers = []string{plantedFinalizer}
			Expect(admin.Create(ctx, planted)).To(Succeed())

			update(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.SignerName = certificatesv1.KubeAPIServerClientSignerName
			})
			Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretConflict,
				`secret "client-identities/`+name+`-kubeconfig" is being deleted but still exists: remove its finalizers`))
			change(planted, func(secret *corev1.Secret) { secret.Finalizers = nil })
			expectUser(eventuallyReady(name))
		})
	})

	Context("as a binding of the wanted name", func() {
		It("is named and never overwritten, and holds up neither the certificate nor its renewal", func() {
			name, namespace := uniqueName("taken-binding"), createNamespace("taken", nil)
			planted := devBinding(name, namespace, "view", user("somebody"))
			everywhere := allBinding(name, "view", user("somebody"))
			create(planted, everywhere, newIdentity(name, boundIn(namespace, "view"), boundClusterWide("view")))
			words := `ClusterRoleBinding "` + everywhere.Name + `" exists and is not owned by this ClientIdentity: delete it or rename binding "all" in the spec; ` +
				`RoleBinding "` + namespace + "/" + planted.Name + `" exists and is not owned by this ClientIdentity: delete it or rename binding "dev" in the spec`
			Eventually(state(name, v1alpha1.ConditionCertificateIssued)).Should(begin(metav1.ConditionTrue, v1alpha1.ReasonIssued, ""))
			Expect(state(name, v1alpha1.ConditionAccessBound)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonBindingConflict, words))
			Expect(state(name, v1alpha1.ConditionReady)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonBindingConflict, words))
			expectUser(get(name))

			requestRenewal(name)
			Eventually(revision(name)).Should(BeEquivalentTo(2))
			expectUser(get(name))
			Expect(state(name, v1alpha1.ConditionAccessBound)()).To(begin(metav1.ConditionFalse, v1alpha1.ReasonBindingConflict, words))
			for _, object := range []client.Object{planted, everywhere} {
				before := object.GetResourceVersion()
				Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				Expect(object.GetResourceVersion()).To(Equal(before), "the planted binding was written to")
			}

			Expect(admin.Delete(ctx, planted)).To(Succeed())
			Expect(admin.Delete(ctx, everywhere)).To(Succeed())
			identity := eventuallyReady(name)
			Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeTrue())
		})

		DescribeTable("is replaced where it claims to be the identity's but grants another role",
			func(labels func(string) map[string]string) {
				name, namespace := uniqueName("forged-binding"), createNamespace("forged", nil)
				create(newIdentity(name))
				planted := devBinding(name, namespace, "view", user("somebody"))
				planted.RoleRef = clusterRole("admin")
				planted.Labels = labels(name)
				planted.Annotations = map[string]string{"example.com/backdoor": "open"}
				planted.OwnerReferences = forgedOwner(eventuallyReady(name))
				stopOperator()
				create(planted)
				update(name, boundIn(namespace, "view"))
				startOperator()

				identity := eventuallyReady(name)
				bound := roleBindingsOf(name)
				Expect(bound).To(HaveLen(1))
				Expect(bound[0].UID).NotTo(Equal(planted.UID))
				Expect(bound[0].RoleRef).To(Equal(clusterRole("view")))
				Expect(bound[0].Subjects).To(ConsistOf(user(identity.Spec.Username)))
				Expect(bound[0].Annotations).To(BeEmpty())
				// The passes that follow get to their end.
				update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RoleBindings = nil })
				Eventually(bindingsOf(name)).Should(BeEmpty())
			},
			Entry("with our labels", Serial, ourLabels),
			Entry("without our labels", Serial, func(string) map[string]string { return nil }),
		)

		DescribeTable("is emptied and waited for where it claims to be the identity's and a finalizer holds it",
			func(labels func(string) map[string]string) {
				name, namespace := uniqueName("held-binding"), createNamespace("held", nil)
				create(newIdentity(name))
				planted := devBinding(name, namespace, "view", user("somebody"))
				planted.RoleRef = clusterRole("admin")
				planted.Labels = labels(name)
				planted.Finalizers = []string{plantedFinalizer}
				planted.OwnerReferences = forgedOwner(eventuallyReady(name))
				stopOperator()
				create(planted)
				update(name, boundIn(namespace, "view"))
				startOperator()

				Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonBindingTerminating,
					`RoleBinding "`+namespace+"/"+planted.Name+`" is being deleted but has finalizers: remove them`))
				Expect(admin.Get(ctx, client.ObjectKeyFromObject(planted), planted)).To(Succeed())
				Expect(planted.Subjects).To(BeEmpty())

				release(planted)
				identity := eventuallyReady(name)
				Expect(may(holder(identity), "list", "", "configmaps", namespace)).To(BeTrue())
			},
			Entry("with our labels", Serial, ourLabels),
			Entry("without our labels", Serial, func(string) map[string]string { return nil }),
		)
	})
})

// release removes the finalizers of an object.
func release(object client.Object) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(admin.Patch(ctx, object, patch))).To(Succeed())
}
