// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"crypto"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/holder"
)

// asked is what a device asks for, before it is sent.
type asked struct {
	device   string
	name     string
	identity string // the label; "" for none
	signer   string
	usages   []certificatesv1.KeyUsage
	lifetime *int32
	subject  certificate.Subject
	key      crypto.Signer
	// request is made of subject and key, unless a change has set it.
	request []byte
}

type change func(*asked)

// ask returns what a device of an identity asks for: exactly what it may, but for the changes.
func ask(identity *v1alpha1.ClientIdentity, device string, changes ...change) *asked {
	GinkgoHelper()
	parameters := holder.ParametersFor(identity, 0)
	key, err := certificate.GenerateKey(parameters.PrivateKey())
	Expect(err).NotTo(HaveOccurred())
	a := &asked{
		device: device, name: holder.RequestName(identity.Name, device), identity: identity.Name, signer: parameters.SignerName,
		usages:   []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		lifetime: ptr.To(int32(parameters.TTL.Seconds())), subject: parameters.Subject(), key: key,
	}
	for _, change := range changes {
		change(a)
	}
	if a.request == nil {
		a.request, err = certificate.NewRequest(a.key, a.subject)
		Expect(err).NotTo(HaveOccurred())
	}
	keep(a.device, a.key)
	return a
}

// object returns it as it is sent.
func (a *asked) object() *certificatesv1.CertificateSigningRequest {
	request := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: a.name}}
	if a.identity != "" {
		request.Labels = map[string]string{v1alpha1.IdentityLabel: a.identity}
	}
	request.Spec = certificatesv1.CertificateSigningRequestSpec{
		Request: a.request, SignerName: a.signer, Usages: a.usages, ExpirationSeconds: a.lifetime,
	}
	return request
}

// by sends it, as soon as its maker may make requests. Nobody but the API server says who did.
func (a *asked) by(maker *rest.Config) *sent {
	GinkgoHelper()
	var s *sent
	Eventually(func() error {
		request, err := a.tryBy(maker)
		switch {
		case err == nil:
			s = &sent{asked: a, uid: string(request.UID)}
		case !apierrors.IsForbidden(err):
			StopTrying("it was not taken").Wrap(err).Now()
		}
		return err
	}).Should(Succeed())
	return s
}

// tryBy sends it and returns what the API server says of that.
func (a *asked) tryBy(maker *rest.Config) (*certificatesv1.CertificateSigningRequest, error) {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(maker)
	Expect(err).NotTo(HaveOccurred())
	return clients.CertificatesV1().CertificateSigningRequests().Create(ctx, a.object(), metav1.CreateOptions{})
}

// withKey asks for a certificate for a key that was made before.
func withKey(key crypto.Signer) change { return func(a *asked) { a.key = key } }

// lasting asks for a lifetime.
func lasting(lifetime time.Duration) change {
	return func(a *asked) { a.lifetime = ptr.To(int32(lifetime.Seconds())) }
}
