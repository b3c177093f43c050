// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	holders "github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/renewal"
)

// short makes certificates as short as Kubernetes lets them be.
func short(identity *v1alpha1.ClientIdentity) {
	identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
}

// newKey makes a key of a device.
func newKey() crypto.Signer {
	GinkgoHelper()
	key, err := certificate.GenerateKey(v1alpha1.PrivateKey{})
	Expect(err).NotTo(HaveOccurred())
	return key
}

// deviceRequest is the request for a certificate that a device makes.
func deviceRequest(identity *v1alpha1.ClientIdentity, device string, key crypto.Signer, changes ...func(*certificatesv1.CertificateSigningRequest)) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	parameters := holders.ParametersFor(identity, 0)
	request, err := certificate.NewRequest(key, parameters.Subject())
	Expect(err).NotTo(HaveOccurred())
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: holders.RequestName(identity.Name, device), Labels: map[string]string{v1alpha1.IdentityLabel: identity.Name}},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: parameters.SignerName, Usages: holders.Usages, ExpirationSeconds: ptr.To(int32(parameters.TTL.Duration / time.Second)),
		},
	}
	for _, change := range changes {
		change(csr)
	}
	return csr
}

// clientOf returns a client of whoever a connection belongs to.
func clientOf(config *rest.Config) client.Client {
	GinkgoHelper()
	c, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// ask makes a request and returns it once it was decided: denied, or signed.
func ask(maker client.Client, csr *certificatesv1.CertificateSigningRequest) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	Expect(maker.Create(ctx, csr)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, csr))).To(Succeed()) })
	return decided(csr.Name)
}

// decided waits until a request is denied or signed.
func decided(name string) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	csr := &certificatesv1.CertificateSigningRequest{}
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: name}, csr)).To(Succeed())
		g.Expect(denial(csr) != "" || len(csr.Status.Certificate) > 0).To(BeTrue(), "conditions: %v", csr.Status.Conditions)
	}).Should(Succeed())
	return csr
}

// denial returns why a request was denied, or "".
func denial(csr *certificatesv1.CertificateSigningRequest) string {
	for _, c := range csr.Status.Conditions {
		if c.Type == certificatesv1.CertificateDenied {
			return c.Reason
		}
	}
	return ""
}

// device returns what the status says of a device, or an empty one.
func device(identity *v1alpha1.ClientIdentity, name string) v1alpha1.Device {
	for _, d := range identity.Status.Devices {
		if d.Name == name {
			return d
		}
	}
	return v1alpha1.Device{}
}

// credentialOf returns a connection with the certificate that answers a request, once it is recorded.
func credentialOf(csr *certificatesv1.CertificateSigningRequest, key crypto.Signer) *rest.Config {
	GinkgoHelper()
	Expect(denial(csr)).To(BeEmpty(), "denied")
	issued, err := certificate.ParseIssued(csr.Status.Certificate)
	Expect(err).NotTo(HaveOccurred())
	identity, name, _ := holders.ParseRequestName(csr.Name)
	Eventually(func() string { return device(get(identity), name).Fingerprint }).Should(Equal(issued.Fingerprint()))
	keyPEM, err := certificate.EncodeKey(key)
	expectNoSecretError(err, "encode a key")
	config := rest.AnonymousClientConfig(cp.Config())
	config.TLSClientConfig.CertData, config.TLSClientConfig.KeyData = issued.ChainPEM, keyPEM
	return config
}

// enrolled is a device that has a key and a certificate.
type enrolled struct {
	identity, name string
	key            crypto.Signer
	config         *rest.Config
}

// enrol enrols a device with an invitation.
func enrol(identity *v1alpha1.ClientIdentity, name string) enrolled {
	GinkgoHelper()
	key := newKey()
	connection := invited(identity.Name)
	Eventually(func() bool { return may(connection, "create", "certificates.k8s.io", "certificatesigningrequests", "") }).Should(BeTrue())
	csr := ask(clientOf(connection), deviceRequest(get(identity.Name), name, key))
	return enrolled{identity: identity.Name, name: name, key: key, config: credentialOf(csr, key)}
}

// ask asks for another certificate with the present one.
func (d enrolled) ask(key crypto.Signer) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	Eventually(func() bool { return may(d.config, "create", "certificates.k8s.io", "certificatesigningrequests", "") }).Should(BeTrue())
	return ask(clientOf(d.config), deviceRequest(get(d.identity), d.name, key))
}

// renew asks for another certificate once the device may again.
func (d enrolled) renew(key crypto.Signer) *certificatesv1.CertificateSigningRequest {
	GinkgoHelper()
	last := device(get(d.identity), d.name).Approval.Time.Time
	Eventually(time.Now).Should(BeTemporally(">", last.Add(renewal.MinimumInterval+time.Second)))
	return d.ask(key)
}

// renewed is the device with the certificate that a request brought.
func (d enrolled) renewed(csr *certificatesv1.CertificateSigningRequest, key crypto.Signer) enrolled {
	GinkgoHelper()
	d.key, d.config = key, credentialOf(csr, key)
	return d
}

var _ = Describe("Holders who make the keys", func() {
	It("are ready before any device is enrolled, and an administrator enrols one", func() {
		name := uniqueName("holder")
		create(newIdentity(name, byHolder, short))
		eventuallyEnrollable(name)

		key := newKey()
		csr := ask(admin, deviceRequest(get(name), "laptop", key))
		user, err := whoAmI(credentialOf(csr, key))
		Expect(err).NotTo(HaveOccurred())
		Expect(user.Username).To(Equal(get(name).Spec.Username))

		identity := eventuallyReady(name)
		laptop := device(identity, "laptop")
		Expect(laptop.State).To(Equal(v1alpha1.DeviceActive))
		Expect(laptop.EnrolledBy).To(Equal(csr.Spec.Username))
		Expect(laptop.EnrolledRevision).To(Equal(laptop.Revision))
		Expect(laptop.RenewalTime.Time).To(BeTemporally("<", laptop.NotAfter.Time))
		Expect(identity.Status.Certificate.Fingerprint).To(Equal(laptop.Fingerprint))
		Expect(identity.Status.Certificates).To(ConsistOf(And(HaveField("Device", "laptop"), HaveField("RequestedBy", csr.Spec.Username))))
		Expect(identity.Status.OutstandingUntil.Time).To(BeTemporally("==", laptop.NotAfter.Time))
		Expect(identity).To(haveCondition(v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonIssued))
	})

	It("enrol with an invitation, once, and renew with the newest certificate to one key", func() {
		name := uniqueName("holder")
		create(newIdentity(name, byHolder, short))
		identity := eventuallyEnrollable(name)

		By("enrolling")
		invitation, key := invited(name), newKey()
		Eventually(func() bool { return may(invitation, "create", "certificates.k8s.io", "certificatesigningrequests", "") }).Should(BeTrue())
		csr := ask(clientOf(invitation), deviceRequest(identity, "laptop", key))
		laptop := enrolled{identity: name, name: "laptop", key: key, config: credentialOf(csr, key)}
		identity = eventuallyReady(name)
		Expect(identity.Status.Invitations).To(ConsistOf(HaveField("Device", "laptop")))
		Expect(device(identity, "laptop").EnrolledBy).To(Equal(csr.Spec.Username))

		By("using the invitation for another device")
		Expect(denial(ask(clientOf(invitation), deviceRequest(identity, "phone", newKey())))).To(Equal(holders.ReasonInvitationUsed))

		By("renewing, and asking for the same key again")
		next := newKey()
		after := laptop.renewed(laptop.renew(next), next)
		Expect(whoAmI(after.config)).To(HaveField("Username", identity.Spec.Username))
		again := laptop.renew(next)
		Expect(denial(again)).To(BeEmpty())
		after = after.renewed(again, next)
		identity = get(name)
		Expect(identity.Status.Certificates).To(HaveLen(3))
		Expect(device(identity, "laptop").EnrolledRevision).To(Equal(int64(1)))

		By("renewing with the older certificate to another key")
		Expect(denial(laptop.ask(newKey()))).To(Equal(holders.ReasonCredentialReused))
		Eventually(func() *v1alpha1.ClientIdentity { return get(name) }).Should(
			haveCondition(v1alpha1.ConditionCredentialReused, metav1.ConditionTrue, v1alpha1.ReasonDeviceSuspended))
		identity = get(name)
		Expect(device(identity, "laptop").State).To(Equal(v1alpha1.DeviceSuspended))
		Expect(message(identity, v1alpha1.ConditionCredentialReused)).To(ContainSubstring(`"laptop"`))
		Eventually(func() []string { return eventsOf(identity) }).Should(ContainElement(ContainSubstring(v1alpha1.ReasonDeviceSuspended)))
		Expect(denial(after.ask(newKey()))).To(Equal(holders.ReasonDeviceSuspended))

		By("enrolling it again")
		enrol(identity, "laptop")
		Eventually(func() []string { return conditionTypes(get(name)) }).ShouldNot(ContainElement(v1alpha1.ConditionCredentialReused))
		Expect(denial(after.ask(newKey()))).To(Equal(holders.ReasonCredentialUnknown))
		Expect(device(get(name), "laptop").State).To(Equal(v1alpha1.DeviceActive))
	})
})
