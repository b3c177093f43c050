// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// enrol enrols a device of an identity as an administrator, and forgets its key.
func enrol(ctx context.Context, admin client.Client, name string) {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	parameters := holder.ParametersFor(identity, 0)
	key, err := certificate.GenerateKey(parameters.PrivateKey())
	Expect(err).NotTo(HaveOccurred())
	request, err := certificate.NewRequest(key, parameters.Subject())
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: holder.RequestName(name, "laptop"), Labels: map[string]string{v1alpha1.IdentityLabel: name}},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: parameters.SignerName, Usages: holder.Usages, ExpirationSeconds: ptr.To(int32(parameters.TTL.Duration / time.Second)),
		},
	})).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(identity), identity)).To(Succeed())
		g.Expect(identity.Status.Devices).To(ContainElement(HaveField("NotAfter", Not(BeNil()))))
	}).Should(Succeed())
}
