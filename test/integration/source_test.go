// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/operator"
)

// byOperator is a change of an identity: the operator makes its keys.
func byOperator(identity *v1alpha1.ClientIdentity) {
	identity.Spec.PrivateKey.Source = v1alpha1.SourceOperator
}

// contents returns the keys in each version of a Secret that was seen, in order and without repetitions; what was there is ADDED first.
func contents(seen *recorder, secret string) []string {
	var all []string
	for _, event := range seen.seen() {
		if s := event.Object.(*corev1.Secret); s.Name == secret {
			all = append(all, string(event.Type)+": "+strings.Join(slices.Sorted(maps.Keys(s.Data)), " "))
		}
	}
	return slices.Compact(all)
}

const (
	withKey    = "ca.crt kubeconfig tls.crt tls.key"
	withoutKey = "ca.crt kubeconfig request.json"
)

// readersOf returns the bindings that let somebody read an identity's Secret.
func readersOf(name string) func() []string {
	return func() []string {
		GinkgoHelper()
		readers := []string{}
		for _, binding := range roleBindingsOf(name) {
			readers = append(readers, binding.Name)
		}
		return readers
	}
}

// later says whether the API server wrote a after b.
func later(a, b string) bool {
	GinkgoHelper()
	order, err := resourceversion.CompareResourceVersion(a, b)
	Expect(err).NotTo(HaveOccurred())
	return order > 0
}

// expectKeyAfterReaders checks that the first version of a Secret with a key is later than the end of each binding that let somebody read
// it while it had none.
func expectKeyAfterReaders(secrets, bindings *recorder, name string) {
	GinkgoHelper()
	published := ""
	for _, event := range secrets.seen() {
		if s := event.Object.(*corev1.Secret); s.Name == name+"-kubeconfig" && len(s.Data[v1alpha1.PrivateKeyKey]) > 0 && published == "" {
			published = s.ResourceVersion
		}
	}
	Expect(published).NotTo(BeEmpty())
	ended := 0
	for _, event := range bindings.seen() {
		if binding := event.Object.(*rbacv1.RoleBinding); event.Type == watch.Deleted && binding.Labels[v1alpha1.IdentityLabel] == name {
			ended++
			Expect(later(published, binding.ResourceVersion)).To(BeTrue(), binding.Name)
		}
	}
	Expect(ended).To(Equal(2), "bindings of the holder and of invitations")
}

var _ = Describe("Who makes the keys", func() {
	It("changes from the operator to the holder: the key leaves the Secret in one write, and nothing is revoked", func() {
		name, namespace := uniqueName("to-holder"), createNamespace("to-holder", nil)
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
		}))
		before := eventuallyReady(name)
		former := holder(before)
		secret := publishedSecret(before)
		change(secret, func(s *corev1.Secret) { s.Labels["example.com/theirs"] = "kept" })
		seen := record(&corev1.SecretList{}, client.InNamespace(operator.SecretNamespace))
		bindings := record(&rbacv1.RoleBindingList{}, client.InNamespace(operator.SecretNamespace))

		update(name, byHolder)
		identity := eventuallyEnrollable(name)
		Eventually(readersOf(name)).Should(HaveLen(3)) // and the spec's
		Expect(contents(seen, secret.Name)).To(HaveExactElements("ADDED: "+withKey, "MODIFIED: "+withoutKey))
		after := publishedSecret(identity)
		Expect(after.UID).To(Equal(secret.UID))
		Expect(after.Labels).To(HaveKeyWithValue("example.com/theirs", "kept"))
		Expect(after.Annotations).NotTo(HaveKey(v1alpha1.RequestHashAnnotation))
		for _, event := range bindings.seen() {
			if binding := event.Object.(*rbacv1.RoleBinding); binding.Labels[v1alpha1.IdentityLabel] == name {
				Expect(later(binding.ResourceVersion, after.ResourceVersion)).To(BeTrue(), "nobody is let read before the key is gone")
			}
		}
		Expect(identity.Status.Certificates).To(HaveLen(1))
		Expect(identity.Status.Certificates[0].Withdrawn).To(BeFalse())
		Expect(may(former, "list", "", "pods", namespace)).To(BeTrue(), "the certificate from before goes on")
	})

	It("changes while a request of the operator's is open: that goes, and its key with it", func() {
		name := uniqueName("open-request")
		allowApproval(unserved)
		create(newIdentity(name, signedBy(unserved)))
		open := openRequest(name)
		update(name, func(identity *v1alpha1.ClientIdentity) { byHolder(identity) })
		eventuallyEnrollable(name)
		Eventually(uidOf(open)).Should(BeEmpty())
		Consistently(requestsOf(name)).Should(BeEmpty())
		Expect(get(name).Status.Issuance).To(BeNil())
	})

	It("changes together with the place of the Secret: the one with the key is gone", func() {
		name := uniqueName("moved-to-holder")
		create(newIdentity(name))
		before := eventuallyReady(name)
		update(name, func(identity *v1alpha1.ClientIdentity) {
			byHolder(identity)
			identity.Spec.Secret.Name = name + "-other"
		})
		eventuallyEnrollable(name)
		expectSecretGone(before)
		Expect(secretsOf(name)()).To(ConsistOf(name + "-other"))
	})

	It("changes where nothing can be published: the key goes all the same", func() {
		name := uniqueName("blocked-to-holder")
		planted := plantedSecret(name)
		planted.Name = name + "-taken"
		create(planted, newIdentity(name))
		before := eventuallyReady(name)
		update(name, func(identity *v1alpha1.ClientIdentity) {
			byHolder(identity)
			identity.Spec.Secret.Name = planted.Name
		})
		expectSecretGone(before)
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretConflict, ""))
	})

	It("changes to the operator: a key is published when nobody reads the Secret any more who did", func() {
		name := uniqueName("to-operator")
		create(newIdentity(name, byHolder))
		former := eventuallyEnrollable(name)
		secret := publishedSecret(former)
		Eventually(readersOf(name)).Should(HaveLen(2))
		change(secret, func(s *corev1.Secret) { s.Labels["example.com/theirs"] = "kept" })
		seen := record(&corev1.SecretList{}, client.InNamespace(operator.SecretNamespace))
		bindings := record(&rbacv1.RoleBindingList{}, client.InNamespace(operator.SecretNamespace))

		update(name, byOperator)
		identity := eventuallyReady(name)
		expectUser(identity)
		expectKeyAfterReaders(seen, bindings, name)
		Expect(contents(seen, secret.Name)).To(HaveExactElements("ADDED: "+withoutKey, "MODIFIED: "+withKey))
		Expect(publishedSecret(identity).UID).To(Equal(secret.UID))
		Expect(publishedSecret(identity).Labels).To(HaveKeyWithValue("example.com/theirs", "kept"))
		Expect(accountOf(name)).To(BeNil())
		Expect(identity.Status.EnrolmentRef).To(BeNil())
		Expect(bindingsOf(name)()).To(BeEmpty())
		Expect(readsSecret(as(identity.Spec.Username), client.ObjectKeyFromObject(secret))).To(MatchError(ContainSubstring("forbidden")))

		By("and back again")
		update(name, byHolder)
		back := eventuallyEnrollable(name)
		Expect(publishedSecret(back).UID).To(Equal(secret.UID))
		Expect(contents(seen, secret.Name)).To(HaveExactElements("ADDED: "+withoutKey, "MODIFIED: "+withKey, "MODIFIED: "+withoutKey))
	})

	It("changes to the operator with a device enrolled, which goes on and renews no more, and back", func() {
		name, namespace := uniqueName("enrolled"), createNamespace("enrolled", nil)
		create(newIdentity(name, byHolder, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
		}))
		laptop := enrol(eventuallyEnrollable(name), "laptop")
		fingerprint := device(eventuallyReady(name), "laptop").Fingerprint
		seen := record(&corev1.SecretList{}, client.InNamespace(operator.SecretNamespace))
		bindings := record(&rbacv1.RoleBindingList{}, client.InNamespace(operator.SecretNamespace))

		update(name, byOperator)
		Eventually(func() map[string][]byte { return publishedSecret(get(name)).Data }).Should(HaveKey(v1alpha1.CertificateKey))
		identity := eventuallyReady(name)
		expectUser(identity)
		expectKeyAfterReaders(seen, bindings, name)
		Expect(identity.Status.Certificate.Fingerprint).NotTo(Equal(fingerprint))
		Expect(identity.Status.Certificates).To(HaveLen(2))
		Expect(may(laptop.config, "list", "", "pods", namespace)).To(BeTrue())
		Eventually(func() bool { return mayRequest(laptop.config) }).Should(BeFalse())
		Expect(denial(ask(admin, deviceRequest(identity, "laptop", newKey())))).To(ContainSubstring("NotForHolders"))

		update(name, byHolder)
		Eventually(func() map[string][]byte { return publishedSecret(get(name)).Data }).ShouldNot(HaveKey(v1alpha1.CertificateKey))
		back := eventuallyReady(name)
		Expect(device(back, "laptop").Fingerprint).To(Equal(fingerprint))
		Expect(back.Status.Certificate.Fingerprint).To(Equal(fingerprint))
		Eventually(func() bool { return mayRequest(laptop.config) }).Should(BeTrue())
	})

	It("changes to the operator while somebody's finalizer keeps a binding that lets devices read: no key is published, and it is named", func() {
		name := uniqueName("held-reader")
		create(newIdentity(name, byHolder))
		secret := publishedSecret(eventuallyEnrollable(name))
		Eventually(readersOf(name)).Should(HaveLen(2))
		reader := &roleBindingsOf(name)[0]
		change(reader, func(b *rbacv1.RoleBinding) { b.Finalizers = []string{plantedFinalizer} })
		DeferCleanup(func() { release(reader) })
		update(name, byOperator)
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretReadable, "no key is published while"))
		Expect(message(get(name), v1alpha1.ConditionReady)).To(ContainSubstring(reader.Name))
		Consistently(func() map[string][]byte { return publishedSecret(get(name)).Data }).ShouldNot(HaveKey(v1alpha1.PrivateKeyKey))
		release(reader)
		Expect(publishedSecret(eventuallyReady(name)).UID).To(Equal(secret.UID))
	})

	It("changes to the operator where a binding that lets devices read lost its labels and owner: no key is published before it is deleted", Serial, func() {
		name := uniqueName("stripped-reader")
		create(newIdentity(name, byHolder))
		eventuallyEnrollable(name)
		Eventually(readersOf(name)).Should(HaveLen(2))
		reader := &roleBindingsOf(name)[0]
		copied := restored(reader.DeepCopy())
		copied.Labels = nil
		stop := func() {
			Expect(admin.Delete(ctx, reader)).To(Succeed())
			Expect(admin.Create(ctx, copied)).To(Succeed())
		}
		stopOperator()
		stop()
		update(name, byOperator)
		startOperator()
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, copied))).To(Succeed()) })
		Eventually(state(name, v1alpha1.ConditionReady)).Should(begin(metav1.ConditionFalse, v1alpha1.ReasonSecretReadable, "no key is published while"))
		Expect(admin.Delete(ctx, copied)).To(Succeed())
		eventuallyReady(name)
	})

	It("changes to the operator, which is killed before it publishes: the next one waits for the API servers as long", Serial, func() {
		const lag = 3 * time.Second
		name := uniqueName("restarted")
		slow := func(options *manager.Options) { options.APIServerLag = lag }
		restartOperator(slow)
		create(newIdentity(name, byHolder))
		eventuallyEnrollable(name)
		Eventually(readersOf(name)).Should(HaveLen(2))
		update(name, byOperator)
		Eventually(readersOf(name)).Should(BeEmpty())
		stopOperator()
		Expect(publishedSecret(get(name)).Data).NotTo(HaveKey(v1alpha1.PrivateKeyKey))
		began := time.Now()
		startOperator(slow)
		eventuallyReady(name)
		Expect(time.Since(began)).To(BeNumerically(">=", lag))
	})

	It("changes to the operator where the holder may read the Secret: what devices had of it goes on", func() {
		name := uniqueName("to-readable")
		create(newIdentity(name, byHolder, boundToCredential, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.HolderCanRead = true }))
		eventuallyEnrollable(name)
		Eventually(readersOf(name)).Should(HaveLen(2))
		update(name, byOperator)
		identity := eventuallyReady(name)
		Expect(readersOf(name)()).To(ConsistOf(ContainSubstring(":secret-reader:")))
		Eventually(func() error {
			return readsSecret(holder(identity), client.ObjectKeyFromObject(publishedSecret(identity)))
		}).Should(Succeed())
	})
})
