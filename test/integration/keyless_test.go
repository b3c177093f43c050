// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	holding "github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/test/operator"
)

// byHolder is a change of an identity: its holder makes the keys.
func byHolder(identity *v1alpha1.ClientIdentity) {
	identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
}

// eventuallyEnrollable waits until a device can be enrolled, and returns the identity.
func eventuallyEnrollable(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Eventually(func() *v1alpha1.ClientIdentity {
		identity = get(name)
		return identity
	}).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReadyToEnroll))
	return identity
}

// enrolmentAccount returns the name of the ServiceAccount of an identity's invitations.
func enrolmentAccount(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: operator.SecretNamespace, Name: "clientidentity-" + name + "-enrolment"}
}

// invited returns a connection with a new token of an identity's ServiceAccount.
func invited(name string) *rest.Config {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	account := enrolmentAccount(name)
	token, err := clients.CoreV1().ServiceAccounts(account.Namespace).CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	connection := rest.AnonymousClientConfig(cp.Config())
	connection.BearerToken = token.Status.Token
	return connection
}

var _ = Describe("An identity whose holder makes the keys", func() {
	It("has a Secret without a key, a ServiceAccount for invitations, and rights for both to ask", func() {
		name := uniqueName("keyless")
		create(newIdentity(name, byHolder))
		identity := eventuallyEnrollable(name)

		secret := publishedSecret(identity)
		Expect(slices.Sorted(maps.Keys(secret.Data))).To(Equal([]string{"ca.crt", "kubeconfig", "request.json"}))
		_, who, uid, err := kubeconfig.ReadExec(secret.Data["kubeconfig"])
		Expect(err).NotTo(HaveOccurred())
		Expect(who).To(Equal(name))
		Expect(uid).To(Equal(string(identity.UID)))
		Expect(identity.Status.Certificate).To(BeNil())
		Expect(signingRequests(name)).To(BeEmpty())

		account := &corev1.ServiceAccount{}
		Expect(admin.Get(ctx, enrolmentAccount(name), account)).To(Succeed())
		Expect(identity.Status.EnrolmentRef).To(HaveValue(Equal(v1alpha1.EnrolmentReference{Namespace: account.Namespace, Name: account.Name, UID: account.UID})))
		Expect(metav1.IsControlledBy(account, identity)).To(BeTrue())
		Expect(account.AutomountServiceAccountToken).To(HaveValue(BeFalse()))

		published := client.ObjectKeyFromObject(secret)
		for who, connection := range map[string]*rest.Config{"the holder": as(identity.Spec.Username), "an invitation": invited(name)} {
			Eventually(func() error { return readsSecret(connection, published) }).Should(Succeed(), who)
			Eventually(func() bool { return may(connection, "create", "certificates.k8s.io", "certificatesigningrequests", "") }).Should(BeTrue(), who)
			Expect(may(connection, "get", "certificates.k8s.io", "certificatesigningrequests", "")).To(BeTrue(), who)
			for _, verb := range []string{"list", "watch", "delete", "update", "patch"} {
				Expect(may(connection, verb, "certificates.k8s.io", "certificatesigningrequests", "")).To(BeFalse(), "%s: %s", who, verb)
			}
			Expect(may(connection, "list", "", "secrets", operator.SecretNamespace)).To(BeFalse(), who)
		}
	})

	It("tells devices what to ask for, in the Secret that stays the same one, whenever that changes", func() {
		name := uniqueName("parameters")
		create(newIdentity(name, byHolder, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"a", "b"} }))
		secret := publishedSecret(eventuallyEnrollable(name))
		first := parameters(name)
		Expect(first.Username).To(Equal(name + "@example.com"))
		Expect(first.Groups).To(Equal([]string{"a", "b"}))
		Expect(first.Revocation).To(BeNil())

		revoke, end := metav1.Now().Rfc3339Copy(), metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
		for what, change := range map[string]func(*v1alpha1.ClientIdentitySpec){
			"groups":      func(spec *v1alpha1.ClientIdentitySpec) { spec.Groups = []string{"b"} },
			"ttl":         func(spec *v1alpha1.ClientIdentitySpec) { spec.TTL.Duration = 24 * time.Hour },
			"the key":     func(spec *v1alpha1.ClientIdentitySpec) { spec.PrivateKey.Algorithm = v1alpha1.RSA },
			"the end":     func(spec *v1alpha1.ClientIdentitySpec) { spec.AccessUntil = &end },
			"revocations": func(spec *v1alpha1.ClientIdentitySpec) { spec.RevokeIssuedBefore = &revoke },
			"the renewal": func(spec *v1alpha1.ClientIdentitySpec) { spec.RenewBeforePercentage = ptr.To[int32](50) },
		} {
			before := parameters(name)
			update(name, func(identity *v1alpha1.ClientIdentity) { change(&identity.Spec) })
			Eventually(func() holding.Parameters { return parameters(name) }).ShouldNot(Equal(before), what)
		}
		Expect(parameters(name)).To(Equal(holding.ParametersFor(get(name), 0)))
		Expect(publishedSecret(eventuallyEnrollable(name)).UID).To(Equal(secret.UID))
	})

	DescribeTable("has a Secret that comes back as it was, where somebody",
		func(happens func(secret *corev1.Secret)) {
			name := uniqueName("drifted")
			create(newIdentity(name, byHolder))
			secret := publishedSecret(eventuallyEnrollable(name))
			want := maps.Clone(secret.Data)
			Eventually(func() error { return readsSecret(as(name+"@example.com"), client.ObjectKeyFromObject(secret)) }).Should(Succeed())
			happens(secret)
			Eventually(func() map[string][]byte {
				found := &corev1.Secret{}
				_ = admin.Get(ctx, client.ObjectKeyFromObject(secret), found)
				return found.Data
			}).Should(Equal(want))
			eventuallyEnrollable(name)
			Eventually(func() error { return readsSecret(as(name+"@example.com"), client.ObjectKeyFromObject(secret)) }).Should(Succeed())
		},
		Entry("deletes it", func(secret *corev1.Secret) { Expect(admin.Delete(ctx, secret)).To(Succeed()) }),
		Entry("puts something else into it", func(secret *corev1.Secret) {
			change(secret, func(s *corev1.Secret) { s.Data["token"] = []byte("theirs") })
		}),
		Entry("redirects devices to another server", func(secret *corev1.Secret) {
			change(secret, func(s *corev1.Secret) { s.Data["kubeconfig"] = []byte("apiVersion: v1\nkind: Config\n") })
		}),
		Entry("has devices ask for more", func(secret *corev1.Secret) {
			change(secret, func(s *corev1.Secret) { s.Data[v1alpha1.RequestKey] = []byte("{}") })
		}),
		Entry("takes our labels off it", func(secret *corev1.Secret) {
			change(secret, func(s *corev1.Secret) { s.Labels, s.Data["ca.crt"] = nil, nil })
		}),
	)
})

// parameters returns what devices are to ask for, as it is published.
func parameters(name string) holding.Parameters {
	GinkgoHelper()
	published, err := holding.ParseParameters(publishedSecret(get(name)).Data[v1alpha1.RequestKey])
	Expect(err).NotTo(HaveOccurred())
	return published
}

// as returns an administrator's connection that acts as a user.
func as(user string) *rest.Config {
	connection := rest.CopyConfig(cp.Config())
	connection.Impersonate.UserName = user
	return connection
}
