// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

var _ = Describe("An invitation", func() {
	It("enrols one device, once", func() {
		identity := enrollable("once")
		invitation := invite(identity)
		laptop := ask(identity, "laptop").by(invitation).issued()
		eventuallyHas(identity.Name, laptop)
		By("being used again, for another device and for the same")
		ask(identity, "phone").by(invitation).expectDenied(holder.ReasonInvitationUsed, `device "laptop"`, "ask for another one")
		ask(identity, "laptop").by(invitation).expectDenied(holder.ReasonInvitationUsed)
		Expect(get(identity.Name).Status.Invitations).To(HaveLen(1))
		Expect(get(identity.Name).Status.Invitations[0].Device).To(Equal("laptop"))
		renew(identity, laptop)
	})

	It("enrols one device where two use it at once", func() {
		identity := enrollable("twice")
		invitation := invite(identity)
		var laptop, phone *sent
		withoutOperator(func() {
			laptop, phone = ask(identity, "laptop").by(invitation), ask(identity, "phone").by(invitation)
		})
		Eventually(func(g Gomega) {
			g.Expect(laptop.now().Status.Conditions).NotTo(BeEmpty())
			g.Expect(phone.now().Status.Conditions).NotTo(BeEmpty())
		}).Should(Succeed())
		winner, loser := laptop, phone
		if condition(laptop.now(), "Approved") == nil {
			winner, loser = phone, laptop
		}
		winner.issued()
		loser.expectDenied(holder.ReasonInvitationUsed)
	})

	It("is worth nothing after its end", func() {
		identity := enrollable("ended")
		token := invite(identity).BearerToken
		By("its token being signed anew, with the API server's own key, which is taken")
		ask(identity, "laptop").by(withToken(resigned(token, 10*time.Minute))).issued()
		By("and with an end that is over, which is not")
		_, err := ask(identity, "phone").tryBy(withToken(resigned(token, -2*time.Minute)))
		Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "%v", err)
	})

	It("is worth nothing for another identity", func() {
		identity, other := enrollable("invited"), enrollable("other")
		invitation := invite(identity)
		ask(other, "laptop").by(invitation).expectDenied(holder.ReasonNotEntitled, other.Name)
		By("under the name of the one that it is for")
		ask(other, "laptop", func(a *asked) { a.name, a.identity = holder.RequestName(identity.Name, "laptop"), identity.Name }).
			by(invitation).expectDenied(holder.ReasonSubjectMismatch)
		By("being as good as before for that one")
		ask(identity, "laptop").by(invitation).issued()
	})

	It("ends with a revocation of all certificates", func() {
		identity := enrollable("open")
		invitation := invite(identity)
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RevokeIssuedBefore = ptr.To(metav1.NewTime(time.Now().Truncate(time.Second)))
		})
		Eventually(func() bool {
			current := get(identity.Name)
			return current.Status.EnrolmentRef != nil && current.Status.EnrolmentRef.UID != identity.Status.EnrolmentRef.UID
		}).Should(BeTrue())
		Eventually(func() bool {
			_, err := ask(get(identity.Name), "laptop").tryBy(invitation)
			return apierrors.IsUnauthorized(err)
		}).Should(BeTrue())
		current := eventuallyReady(identity.Name)
		ask(current, "laptop").by(invite(current)).issued()
	})

	It("ends when the identity is withdrawn", func() {
		identity := enrollable("withdrawn")
		invitation, laptop := invite(identity), enrol(identity, "laptop")
		update(identity.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn })
		Eventually(func() *v1alpha1.ClientIdentity { return get(identity.Name) }).Should(
			haveCondition(v1alpha1.ConditionWithdrawn, metav1.ConditionTrue, v1alpha1.ReasonWithdrawnByState, ""))
		Eventually(func() error {
			_, err := ask(identity, "phone").tryBy(invitation)
			return err
		}).Should(Satisfy(apierrors.IsUnauthorized))
		By("the device being no longer let make requests, nor an administrator")
		Eventually(func() error {
			_, err := ask(identity, "laptop").tryBy(laptop.connection())
			return err
		}).Should(Satisfy(apierrors.IsForbidden))
		ask(identity, "laptop").by(cp.Config()).expectDenied(holder.ReasonAccessEnded, "Withdrawn")
	})

	It("is not what somebody makes who impersonates its ServiceAccount", func() {
		identity := enrollable("sa")
		ref := identity.Status.EnrolmentRef
		maker := impersonating("system:serviceaccount:" + ref.Namespace + ":" + ref.Name)
		ask(identity, "laptop").by(maker).expectDenied(holder.ReasonNotEntitled, "not made with a token")
		maker.Impersonate.UID = string(ref.UID)
		ask(identity, "laptop").by(maker).expectDenied(holder.ReasonNotEntitled, "not made with a token")
	})

	It("is not a token of a ServiceAccount that somebody put in its place", func() {
		identity := enrollable("placed")
		var request *sent
		withoutOperator(func() {
			ref := identity.Status.EnrolmentRef
			Expect(admin.Delete(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}})).To(Succeed())
			create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}})
			request = ask(identity, "laptop").by(invite(identity))
		})
		request.expectDenied(holder.ReasonInvitationUsed, "made anew")
	})

	It("is not a token of a ServiceAccount of the same name elsewhere", func() {
		identity := enrollable("named")
		const namespace = "default"
		name := holder.ServiceAccountName(identity.Name)
		create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
		bindRole(v1alpha1.HolderClusterRole, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name})
		clients, err := kubernetes.NewForConfig(cp.Config())
		Expect(err).NotTo(HaveOccurred())
		token, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		ask(identity, "laptop").by(withToken(token.Status.Token)).expectDenied(holder.ReasonNotEntitled)
	})
})

// resigned returns a token with another end, signed with the key that the API server signs tokens with.
func resigned(token string, left time.Duration) string {
	GinkgoHelper()
	parts := strings.Split(token, ".")
	Expect(parts).To(HaveLen(3))
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	Expect(err).NotTo(HaveOccurred())
	claims := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(payload)))
	decoder.UseNumber()
	Expect(decoder.Decode(&claims)).To(Succeed())
	claims["iat"], claims["nbf"], claims["exp"] = time.Now().Add(-time.Hour).Unix(), time.Now().Add(-time.Hour).Unix(), time.Now().Add(left).Unix()
	claims["jti"] = uniqueName("resigned")
	payload, err = json.Marshal(claims)
	Expect(err).NotTo(HaveOccurred())

	file, err := os.ReadFile(filepath.Join(cp.Dir(), "pki", "sa-signer.key"))
	Expect(err).NotTo(HaveOccurred())
	block, _ := pem.Decode(file)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	text := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	Expect(err).NotTo(HaveOccurred())
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
