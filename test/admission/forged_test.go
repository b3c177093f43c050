// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// disguised is metadata as the operator gives it to what it makes for an identity.
func disguised(identity *v1alpha1.ClientIdentity, namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, v1alpha1.IdentityLabel: identity.Name},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClientIdentity", Name: identity.Name, UID: identity.UID, Controller: ptr.To(true),
		}},
	}
}

// signingRequest returns a request for a certificate in PEM.
func signingRequest(user string, groups ...string) []byte {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: groups}}, key)
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

var _ = Describe("A planted object", func() {
	It("gets no approval: a CertificateSigningRequest in the guise of the operator's", func() {
		identity := root()
		eventuallyReady(identity.Name)
		user, planter := newAuthor()
		grant(user, right{rule: rbacv1.PolicyRule{APIGroups: []string{certificatesv1.GroupName}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create"}}})
		planted := &certificatesv1.CertificateSigningRequest{
			ObjectMeta: disguised(identity, "", identity.Name+"-abcdefghij"),
			Spec: certificatesv1.CertificateSigningRequestSpec{
				Request:    signingRequest(identity.Spec.Username, identity.Spec.Groups...),
				SignerName: certificatesv1.KubeAPIServerClientSignerName,
				Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
			},
		}
		Eventually(func() error { return planter.Create(ctx, planted.DeepCopy()) }).Should(Succeed())
		Expect(patch(admin, identity.Name, func(i *v1alpha1.ClientIdentity) {
			metav1.SetMetaDataAnnotation(&i.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "now")
		})).To(Succeed())
		// The operator deletes it, as one that nobody waits for.
		Eventually(func() bool {
			found := &certificatesv1.CertificateSigningRequest{}
			err := admin.Get(ctx, client.ObjectKeyFromObject(planted), found)
			Expect(found.Status.Conditions).To(BeEmpty())
			Expect(found.Status.Certificate).To(BeEmpty())
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
	})

	It("is not taken for one's own: a Secret that waits for its identity", func() {
		name := uniqueName("planted")
		planted := &corev1.Secret{
			ObjectMeta: disguised(&v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "guessed"}}, "client-identities", name+"-kubeconfig"),
			Data:       map[string][]byte{v1alpha1.PrivateKeyKey: []byte("known to the planter")},
		}
		create(planted)
		identity := newIdentity(name)
		create(identity)
		// It is a conflict, and stays as it is until the garbage collector removes it, whose owner never was.
		secret := &corev1.Secret{}
		Eventually(func() bool {
			err := admin.Get(ctx, client.ObjectKeyFromObject(planted), secret)
			return err == nil && secret.UID != planted.UID || reason(name, v1alpha1.ConditionReady) == v1alpha1.ReasonSecretConflict
		}).Should(BeTrue())
		if secret.UID == planted.UID {
			Expect(secret.Data).To(Equal(planted.Data))
		}
	})

	It("does not last: a binding in the guise of the operator's", func() {
		identity := root()
		eventuallyReady(identity.Name)
		planted := &rbacv1.RoleBinding{
			ObjectMeta: disguised(identity, "dev", "clientidentity:"+identity.Name+":mine:0123456789"),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "eve@example.com"}},
		}
		user, planter := newAuthor()
		Eventually(func() error { return planter.Create(ctx, planted.DeepCopy()) }).Should(WithTransform(apierrors.IsForbidden, BeTrue()))
		grant(user, may("create", "rolebindings").in("dev"), may("bind", "clusterroles", "edit").in("dev"))
		Eventually(func() error { return planter.Create(ctx, planted.DeepCopy()) }).Should(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(planted), &rbacv1.RoleBinding{}))
		}).Should(BeTrue())
	})
})
