// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// revoked revokes all certificates issued so far.
func revoked(identity *v1alpha1.ClientIdentity) {
	identity.Spec.RevokeIssuedBefore = &metav1.Time{Time: time.Now()}
}

// groupSubject is the subject of a binding that names a group.
func groupSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

var _ = Describe("The end of access", func() {
	Context("by revocation, with bindTo: Credential", func() {
		var (
			name, namespace string
			identity        *v1alpha1.ClientIdentity
			// leaked is a copy of the kubeconfig from before.
			leaked []byte
		)
		BeforeEach(func() {
			name, namespace = uniqueName("leak"), createNamespace("leak", nil)
			create(newIdentity(name, boundIn(namespace, "edit"), boundClusterWide("view"), boundToCredential))
			identity = eventuallyReady(name)
			leaked = publishedSecret(identity).Data[kubeconfigKey]
			expectRights(leaked, namespace, true)
		})
		current := func() []byte {
			GinkgoHelper()
			return publishedSecret(eventuallyReady(name)).Data[kubeconfigKey]
		}

		It("takes every right from a leaked copy, while the new Secret has them all", func() {
			update(name, revoked)
			eventuallyRenewed(identity)
			expectRights(leaked, namespace, false)
			expectRights(current(), namespace, true)

			By("the copy still being a user, who has nothing: X.509 cannot take that away")
			config, err := clientcmd.RESTConfigFromKubeConfig(leaked)
			Expect(err).NotTo(HaveOccurred())
			who, err := whoAmI(config)
			Expect(err).NotTo(HaveOccurred())
			Expect(who.Username).To(Equal(identity.Spec.Username))
		})

		It("bites at once, also where no new certificate can be issued", func() {
			update(name, func(identity *v1alpha1.ClientIdentity) {
				revoked(identity)
				identity.Spec.SignerName = nobodySigns
			})
			expectRights(leaked, namespace, false)
			openRequest(name)
			Expect(publishedSecret(get(name)).Data[kubeconfigKey]).To(Equal(leaked))
			update(name, signedBy(identity.Spec.SignerName))
			eventuallyRenewed(identity)
			expectRights(current(), namespace, true)
			expectRights(leaked, namespace, false)
		})

		It("cannot be taken back: the schema refuses an earlier time, and none", func() {
			update(name, revoked)
			eventuallyRenewed(identity)
			Expect(tryUpdate(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.RevokeIssuedBefore.Time = identity.Spec.RevokeIssuedBefore.Add(-time.Hour)
			})).To(MatchError(ContainSubstring("may only grow: older certificates would be valid again")))
			Expect(tryUpdate(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.RevokeIssuedBefore = nil })).
				To(MatchError(ContainSubstring("cannot be removed once it is set: older certificates would be valid again")))
			expectRights(leaked, namespace, false)
		})

		It("outlives the loss of the status", func() {
			update(name, revoked)
			renewed := eventuallyRenewed(identity)
			wipeStatus(name)
			Eventually(func() string {
				if c := get(name).Status.Certificate; c != nil {
					return c.Fingerprint
				}
				return renewed.Status.Certificate.Fingerprint
			}).ShouldNot(Equal(renewed.Status.Certificate.Fingerprint))
			expectRights(current(), namespace, true)
			expectRights(leaked, namespace, false)
		})

		It("outlives the identity: another one of the same name and spec does not revive the copy", func() {
			Expect(admin.Delete(ctx, identity)).To(Succeed())
			Eventually(uidOf(identity)).Should(BeEmpty())
			again := newIdentity(name)
			again.Spec = identity.Spec
			create(again)
			expectRights(current(), namespace, true)
			expectRights(leaked, namespace, false)
		})

		It("changes nothing for the copy of another identity of the same user", func() {
			twin := uniqueName("twin")
			create(newIdentity(twin, boundIn(namespace, "edit"), boundClusterWide("view"), boundToCredential, func(other *v1alpha1.ClientIdentity) {
				other.Spec.Username = identity.Spec.Username
			}))
			copied := publishedSecret(eventuallyReady(twin)).Data[kubeconfigKey]
			update(name, revoked)
			eventuallyRenewed(identity)
			expectRights(leaked, namespace, false)
			expectRights(copied, namespace, true)
		})
	})

	It("by revocation with bindTo: Username issues again, and the older copy keeps what the user name is granted", func() {
		name, namespace := uniqueName("by-name"), createNamespace("by-name", nil)
		create(newIdentity(name, boundIn(namespace, "edit"), boundClusterWide("view")))
		identity := eventuallyReady(name)
		leaked := publishedSecret(identity).Data[kubeconfigKey]
		update(name, revoked)
		after := eventuallyRenewed(identity)
		expectRights(publishedSecret(after).Data[kubeconfigKey], namespace, true)
		expectRights(leaked, namespace, true)
	})

	It("by revocation together with the switch to bindTo: Credential bites at once", func() {
		name, namespace := uniqueName("switch-revoke"), createNamespace("switch-revoke", nil)
		create(newIdentity(name, boundIn(namespace, "edit"), boundClusterWide("view")))
		identity := eventuallyReady(name)
		leaked := publishedSecret(identity).Data[kubeconfigKey]
		expectRights(leaked, namespace, true)
		update(name, func(identity *v1alpha1.ClientIdentity) {
			boundToCredential(identity)
			revoked(identity)
			identity.Spec.SignerName = nobodySigns
		})
		expectRights(leaked, namespace, false)
		update(name, signedBy(identity.Spec.SignerName))
		after := eventuallyRenewed(identity)
		expectRights(publishedSecret(after).Data[kubeconfigKey], namespace, true)
		expectRights(leaked, namespace, false)
	})

	It("does not come by switching from bindTo: Username to Credential: the holder is never interrupted", func() {
		name, namespace := uniqueName("switch"), createNamespace("switch", nil)
		create(newIdentity(name, boundIn(namespace, "view")))
		before := eventuallyReady(name)
		secret := publishedSecret(before)
		var served, refused atomic.Int32
		done, stop := make(chan struct{}), make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				content, err := currentSecret(secret)
				Expect(err).NotTo(HaveOccurred())
				config, err := clientcmd.RESTConfigFromKubeConfig(content.Data[kubeconfigKey])
				Expect(err).NotTo(HaveOccurred())
				clients, err := kubernetes.NewForConfig(config)
				Expect(err).NotTo(HaveOccurred())
				if _, err = clients.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{}); err == nil {
					served.Add(1)
					continue
				}
				// A copy that was replaced while it was used is not the current one.
				if now, readErr := currentSecret(secret); readErr == nil && now.ResourceVersion == content.ResourceVersion {
					refused.Add(1)
				}
			}
		}()
		Eventually(served.Load).Should(BeNumerically(">", 3))
		refused.Store(0) // until the API server's authorizer knew the binding
		update(name, boundToCredential)
		eventuallyRenewed(before)
		Eventually(func() []rbacv1.Subject { return roleBindingsOf(name)[0].Subjects }).Should(
			ConsistOf(groupSubject("clientidentity.dev:" + compact(before) + ":0")))
		count := served.Load()
		Eventually(served.Load).Should(BeNumerically(">", count+3))
		close(stop)
		<-done
		Expect(refused.Load()).To(BeZero(), "requests with the current credential were refused")
	})
})

// currentSecret reads a Secret as it is now.
func currentSecret(secret *corev1.Secret) (*corev1.Secret, error) {
	now := &corev1.Secret{}
	err := admin.Get(ctx, client.ObjectKeyFromObject(secret), now)
	return now, err
}

// expectRights checks that the holder of a kubeconfig has, or comes to have, all of the rights of a spec's context or none.
func expectRights(kubeconfig []byte, namespace string, want bool) {
	GinkgoHelper()
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() []bool {
		return []bool{
			may(config, "create", "", "configmaps", namespace),
			may(config, "list", "", "configmaps", namespace),
			may(config, "list", "", "configmaps", metav1.NamespaceDefault),
			may(config, "list", "apps", "deployments", ""),
		}
	}).Should(HaveEach(want))
}
