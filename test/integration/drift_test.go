// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// kubeconfigKey is the default of spec.secret.kubeconfigKey.
const kubeconfigKey = "kubeconfig"

var _ = Describe("Drift of the Secret", func() {
	DescribeTable("is put right without another certificate",
		func(edit func(*corev1.Secret)) {
			name := uniqueName("drift")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"example.com/team": "a"}
				identity.Spec.Secret.Annotations = map[string]v1alpha1.AnnotationValue{"example.com/contact": "a@example.com"}
			}))
			identity := eventuallyReady(name)
			want := publishedSecret(identity)
			change(want.DeepCopy(), edit)
			Eventually(func(g Gomega) {
				now := publishedSecret(identity)
				g.Expect(now.Data).To(HaveLen(len(want.Data)))
				for key, value := range want.Data {
					g.Expect(bytes.Equal(now.Data[key], value)).To(BeTrue(), key)
				}
				g.Expect(now.Labels).To(Equal(want.Labels))
				g.Expect(now.Annotations).To(Equal(want.Annotations))
				g.Expect(metav1.IsControlledBy(now, identity)).To(BeTrue(), "the owner")
			}).Should(Succeed())
			Expect(uidOf(want)()).To(Equal(want.UID))
			Expect(eventuallyReady(name).Status.Certificate).To(Equal(identity.Status.Certificate))
		},
		Entry("where the kubeconfig was edited", func(secret *corev1.Secret) { secret.Data[kubeconfigKey] = []byte("{}") }),
		Entry("where ca.crt was edited", func(secret *corev1.Secret) { secret.Data[v1alpha1.CAKey] = []byte("mine") }),
		Entry("where a key was removed", func(secret *corev1.Secret) { delete(secret.Data, v1alpha1.CAKey) }),
		Entry("where a key was added", func(secret *corev1.Secret) { secret.Data["more"] = []byte("mine") }),
		Entry("where the labels were taken off", func(secret *corev1.Secret) { secret.Labels = nil }),
		Entry("where a label was changed", func(secret *corev1.Secret) { secret.Labels["example.com/team"] = "b" }),
		Entry("where an annotation was taken off", func(secret *corev1.Secret) { delete(secret.Annotations, "example.com/contact") }),
		Entry("where the owner was taken off", func(secret *corev1.Secret) { secret.OwnerReferences = nil }),
		Entry("where labels and owner were taken off", func(secret *corev1.Secret) { secret.Labels, secret.OwnerReferences = nil, nil }),
	)

	DescribeTable("that damages the credential ends with another certificate and key",
		func(edit func(*corev1.Secret)) {
			name := uniqueName("damage")
			create(newIdentity(name))
			before := eventuallyReady(name)
			old := publishedSecret(before)
			change(old.DeepCopy(), edit)
			after := eventuallyRenewed(before)
			Expect(after.Status.Certificate.Revision).To(BeEquivalentTo(2))
			now := publishedSecret(after)
			Expect(now.UID).To(Equal(old.UID), "the Secret was replaced where an update does")
			Expect(bytes.Equal(now.Data[v1alpha1.PrivateKeyKey], old.Data[v1alpha1.PrivateKeyKey])).To(BeFalse(), "the key is the same")
			expectUser(after)
		},
		Entry("where tls.key was edited", func(secret *corev1.Secret) { secret.Data[v1alpha1.PrivateKeyKey] = []byte("mine") }),
		Entry("where tls.crt was edited", func(secret *corev1.Secret) { secret.Data[v1alpha1.CertificateKey] = []byte("mine") }),
		Entry("where nobody can tell any more what was asked for", func(secret *corev1.Secret) { secret.Annotations = nil }),
		Entry("where all data was removed", func(secret *corev1.Secret) { secret.Data = nil }),
	)

	It("ends with another certificate and key where the Secret was deleted", func() {
		name := uniqueName("deleted")
		create(newIdentity(name))
		before := eventuallyReady(name)
		old := publishedSecret(before)
		Expect(admin.Delete(ctx, old.DeepCopy())).To(Succeed())
		after := eventuallyRenewed(before)
		Expect(publishedSecret(after).UID).NotTo(Equal(old.UID))
		expectUser(after)
	})

	It("never makes the status speak of a certificate that somebody else put there, however valid", func() {
		name := uniqueName("intruder")
		create(newIdentity(name))
		before := eventuallyReady(name)
		other, err := cp.ConfigFor(before.Spec.Username)
		Expect(err).NotTo(HaveOccurred())
		intruder := leafOf(other.CertData)
		seen := record(&v1alpha1.ClientIdentityList{}, inName(name))
		change(publishedSecret(before), func(secret *corev1.Secret) {
			secret.Data[v1alpha1.CertificateKey], secret.Data[v1alpha1.PrivateKeyKey] = other.CertData, other.KeyData
			secret.Data[kubeconfigKey] = fileOf(other)
		})
		after := eventuallyRenewed(before)
		Expect(leafOf(publishedSecret(after).Data[v1alpha1.CertificateKey]).Equal(intruder)).To(BeFalse(), "it is still published")
		Expect(seen.seen()).NotTo(BeEmpty())
		for _, event := range seen.seen() {
			if c := event.Object.(*v1alpha1.ClientIdentity).Status.Certificate; c != nil {
				Expect(c.Fingerprint).NotTo(Equal(fingerprint(intruder)))
			}
		}
		expectUser(after)
	})

	It("of being immutable is no obstacle: the Secret is replaced when the kubeconfig or the certificate changes", func() {
		name := uniqueName("immutable")
		create(newIdentity(name))
		identity := eventuallyReady(name)
		freeze := func() *corev1.Secret {
			secret := publishedSecret(identity)
			change(secret, func(secret *corev1.Secret) { secret.Immutable = ptr.To(true) })
			return secret
		}
		frozen := freeze()
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Kubeconfig.ClusterName = "elsewhere" })
		Eventually(func() (bool, error) { // it is gone for a moment
			now, err := currentSecret(frozen)
			return strings.Contains(string(now.Data[kubeconfigKey]), "name: elsewhere"), err
		}).Should(BeTrue())
		Expect(publishedSecret(identity).UID).NotTo(Equal(frozen.UID))
		Expect(eventuallyReady(name).Status.Certificate.Fingerprint).To(Equal(identity.Status.Certificate.Fingerprint))

		frozen = freeze()
		identity = reissue(name)
		Expect(publishedSecret(identity).UID).NotTo(Equal(frozen.UID))
		expectUser(identity)
	})

	It("in labels and annotations of others is kept over a renewal; what the spec asks for no longer goes", func() {
		name := uniqueName("foreign")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"example.com/ours": "1", "example.com/stays": "1"}
			identity.Spec.Secret.Annotations = map[string]v1alpha1.AnnotationValue{"example.com/our-note": "1"}
		}))
		before := eventuallyReady(name)
		change(publishedSecret(before), func(secret *corev1.Secret) {
			secret.Labels["example.com/theirs"] = "1"
			secret.Annotations["example.com/their-note"] = "1"
		})
		requestRenewal(name)
		secret := publishedSecret(eventuallyRenewed(before))
		Expect(secret.Labels).To(And(HaveKey("example.com/ours"), HaveKey("example.com/stays"), HaveKey("example.com/theirs")))
		Expect(secret.Annotations).To(And(HaveKey("example.com/our-note"), HaveKey("example.com/their-note")))

		update(name, func(identity *v1alpha1.ClientIdentity) {
			delete(identity.Spec.Secret.Labels, "example.com/ours")
			identity.Spec.Secret.Annotations = nil
		})
		Eventually(func() map[string]string { return publishedSecret(before).Labels }).ShouldNot(HaveKey("example.com/ours"))
		secret = publishedSecret(before)
		Expect(secret.Labels).To(And(HaveKey("example.com/stays"), HaveKey("example.com/theirs")))
		Expect(secret.Annotations).To(And(Not(HaveKey("example.com/our-note")), HaveKey("example.com/their-note")))
		Expect(revision(name)()).To(BeEquivalentTo(2))
	})

	It("by another place in the spec moves the credential, and leaves nothing at the old one", func() {
		name := uniqueName("moved")
		create(newIdentity(name))
		before := eventuallyReady(name)
		old := publishedSecret(before)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Name = name + "-elsewhere" })
		Eventually(secretsOf(name)).Should(ConsistOf(name + "-elsewhere"))
		Expect(uidOf(old)()).To(BeEmpty())
		after := eventuallyReady(name)
		Expect(after.Status.Certificate).To(Equal(before.Status.Certificate))
		expectUser(after)
	})
})
