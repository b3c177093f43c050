// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
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
})

// as returns an administrator's connection that acts as a user.
func as(user string) *rest.Config {
	connection := rest.CopyConfig(cp.Config())
	connection.Impersonate.UserName = user
	return connection
}
