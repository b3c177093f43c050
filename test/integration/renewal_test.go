// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("Renewal", func() {
	It("renews by itself when it is due, and the holder is not interrupted", func() {
		namespace := createNamespace("due", nil)
		name := uniqueName("due")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
			renewsSoon(identity)
		}))
		before := eventuallyReady(name)
		oldHolder := holder(before)
		Eventually(func() bool { return may(oldHolder, "list", "", "pods", namespace) }).Should(BeTrue())
		Expect(before.Status.Certificate.RenewalTime.Time).To(BeTemporally("<", before.Status.Certificate.RequestTime.Add(15*time.Second)))

		visits := visit(before, namespace)
		after := eventuallyRenewed(before)
		Expect(after.Status.Certificate.Revision).To(BeEquivalentTo(2))
		Expect(after.Status.Certificate.RequestTime.Time).To(BeTemporally(">=", before.Status.Certificate.RenewalTime.Time))
		// Some visits with the new credential.
		Eventually(visits.credentials).Should(HaveLen(2))
		visits.expectNoFailure()

		By("using the certificate of before, which is still valid")
		user, err := whoAmI(oldHolder)
		Expect(err).NotTo(HaveOccurred())
		Expect(user.Username).To(Equal(after.Spec.Username))
	})

	It("keeps the key over a renewal with rotationPolicy Never", func() {
		name := uniqueName("never")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
			renewsSoon(identity)
		}))
		before := eventuallyReady(name)
		key := keyDigest(before)
		after := eventuallyRenewed(before)
		Expect(keyDigest(after)).To(Equal(key))
		expectUser(after)

		By("revoking")
		update(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.TTL, identity.Spec.RenewBefore = metav1.Duration{Duration: time.Hour}, nil
			identity.Spec.RevokeIssuedBefore = ptr.To(metav1.NewTime(identity.Status.Certificate.RequestTime.Add(time.Second)))
		})
		revoked := eventuallyRenewed(after)
		Expect(keyDigest(revoked)).NotTo(Equal(key))
		expectUser(revoked)
	})

	It("never uses a key again that is of another kind than asked for", func() {
		name := uniqueName("kind")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
		}))
		before := eventuallyReady(name)
		key := keyDigest(before)
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"developers"} })
		same := eventuallyRenewed(before)
		Expect(keyDigest(same)).To(Equal(key), "after a change of the groups")
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.PrivateKey.Algorithm = v1alpha1.Ed25519 })
		other := eventuallyRenewed(same)
		Expect(keyDigest(other)).NotTo(Equal(key), "after a change of the algorithm")
		Expect(publishedCertificate(other).PublicKeyAlgorithm).To(Equal(x509.Ed25519))
	})

	DescribeTable("issues again, without an interruption for the holder, when the spec asks for another certificate",
		func(change func(*v1alpha1.ClientIdentitySpec), check func(before, after *x509.Certificate)) {
			namespace := createNamespace("changed", nil)
			name := uniqueName("changed")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Groups = []string{"developers", "team-a"}
				identity.Spec.RoleBindings = []v1alpha1.RoleBinding{bindEdit(namespace)}
			}))
			before := eventuallyReady(name)
			first, key := publishedCertificate(before), keyDigest(before)
			Eventually(func() bool { return may(holder(before), "list", "", "pods", namespace) }).Should(BeTrue())

			visits := visit(before, namespace)
			update(name, func(identity *v1alpha1.ClientIdentity) { change(&identity.Spec) })
			after := eventuallyRenewed(before)
			Eventually(visits.credentials).Should(HaveLen(2))
			visits.expectNoFailure()

			check(first, publishedCertificate(after))
			Expect(keyDigest(after)).NotTo(Equal(key))
			expectUser(after)
			Expect(signingRequests(name)).To(HaveLen(2))
			Expect(after.Status.Certificate.Revision).To(BeEquivalentTo(2))
		},
		Entry("for other groups",
			func(spec *v1alpha1.ClientIdentitySpec) { spec.Groups = []string{"team-b"} },
			func(_, after *x509.Certificate) { Expect(after.Subject.Organization).To(ConsistOf("team-b")) }),
		Entry("for a shorter lifetime",
			func(spec *v1alpha1.ClientIdentitySpec) { spec.TTL.Duration = time.Hour },
			func(before, after *x509.Certificate) {
				Expect(after.NotAfter).To(BeTemporally("<", before.NotAfter))
			}),
		Entry("with another kind of key",
			func(spec *v1alpha1.ClientIdentitySpec) { spec.PrivateKey.Algorithm = v1alpha1.RSA },
			func(_, after *x509.Certificate) { Expect(after.PublicKeyAlgorithm).To(Equal(x509.RSA)) }),
	)

	DescribeTable("does not issue again for what is not in the certificate",
		func(change func(*v1alpha1.ClientIdentitySpec)) {
			name := uniqueName("same")
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				identity.Spec.Groups = []string{"developers", "team-a"}
			}))
			before := eventuallyReady(name)
			update(name, func(identity *v1alpha1.ClientIdentity) { change(&identity.Spec) })
			after := eventuallyReady(name)
			Expect(after.Status.ObservedGeneration).To(BeNumerically(">", before.Status.ObservedGeneration))
			Consistently(requestsOf(name), "1s").Should(HaveLen(1))
			Expect(get(name).Status.Certificate.Fingerprint).To(Equal(before.Status.Certificate.Fingerprint))
		},
		Entry("the same groups in another order", func(spec *v1alpha1.ClientIdentitySpec) { slices.Reverse(spec.Groups) }),
		Entry("another time to renew at", func(spec *v1alpha1.ClientIdentitySpec) { spec.RenewBeforePercentage = ptr.To(int32(50)) }),
		Entry("another rotation policy", func(spec *v1alpha1.ClientIdentitySpec) {
			spec.PrivateKey.RotationPolicy = v1alpha1.RotationNever
		}),
	)

	It("tells in status and events what was issued", func() {
		name := uniqueName("told")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Groups = []string{"developers"} }))
		first := eventuallyReady(name)
		Expect(first.Status.GroupList).To(Equal("developers"))
		Expect(first.Status.LastHandledRenewRequest).To(BeEmpty())
		update(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.TTL.Duration = time.Hour
			identity.Spec.Groups = nil
			metav1.SetMetaDataAnnotation(&identity.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "once")
		})
		second := eventuallyRenewed(first)
		status := &second.Status
		Expect(status.ObservedGeneration).To(Equal(second.Generation))
		Expect(status.LastHandledRenewRequest).To(Equal("once"))
		Expect(status.Issuance).To(BeNil())
		Expect(status.GroupList).To(BeEmpty())

		By("listing the certificates that are valid, newest first")
		Expect(status.Certificates).To(HaveLen(2))
		Expect(status.Certificates[0].Fingerprint).To(Equal(status.Certificate.Fingerprint))
		Expect(status.Certificates[0].Groups).To(BeEmpty())
		Expect(status.Certificates[1].Fingerprint).To(Equal(first.Status.Certificate.Fingerprint))
		Expect(status.Certificates[1].SerialNumber).To(Equal(first.Status.Certificate.SerialNumber))
		Expect(status.Certificates[1].Groups).To(ConsistOf("developers"))
		Expect(status.OutstandingUntil).To(Equal(first.Status.Certificate.NotAfter), "the first certificate outlives the second")

		Eventually(func() []string { return eventsOf(second) }).Should(ConsistOf(
			fmt.Sprintf("Normal Issued: Published certificate %s, valid until %s, in Secret client-identities/%s-kubeconfig",
				first.Status.Certificate.SerialNumber, first.Status.Certificate.NotAfter.UTC().Format(time.RFC3339), name),
			fmt.Sprintf("Normal Renewed: Published certificate %s, valid until %s, in Secret client-identities/%s-kubeconfig",
				status.Certificate.SerialNumber, status.Certificate.NotAfter.UTC().Format(time.RFC3339), name),
		))
	})
})

// renewsSoon makes a certificate due for renewal five to ten seconds after it was issued.
func renewsSoon(identity *v1alpha1.ClientIdentity) {
	identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
	identity.Spec.RenewBefore = &metav1.Duration{Duration: 10*time.Minute - 10*time.Second}
}

// eventsOf returns the events about an identity: type, reason and note.
func eventsOf(identity *v1alpha1.ClientIdentity) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(admin.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
	var events []string
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.UID == identity.UID {
			events = append(events, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Note))
		}
	}
	return events
}

// visits are what a holder does who reads the Secret before each request.
type visits struct {
	mu       sync.Mutex
	seen     []string // certificates, by digest
	failures []string
	stop     func()
}

// visit lists pods in a namespace, again and again, with what the Secret holds at that moment, until the end of the spec.
func visit(identity *v1alpha1.ClientIdentity, namespace string) *visits {
	GinkgoHelper()
	visiting, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	v := &visits{stop: func() { cancel(); <-done }}
	DeferCleanup(func() { v.stop() })
	go func() {
		defer close(done)
		for visiting.Err() == nil {
			certificate, err := visitOnce(visiting, identity, namespace)
			if visiting.Err() != nil {
				return
			}
			v.mu.Lock()
			if err != nil {
				v.failures = append(v.failures, err.Error())
			}
			if !slices.Contains(v.seen, certificate) {
				v.seen = append(v.seen, certificate)
			}
			v.mu.Unlock()
		}
	}()
	return v
}

func visitOnce(visiting context.Context, identity *v1alpha1.ClientIdentity, namespace string) (string, error) {
	secret := &corev1.Secret{}
	ref := identity.Status.SecretRef
	if err := admin.Get(visiting, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret); err != nil {
		return "", err
	}
	certificate := digest(secret.Data[v1alpha1.CertificateKey])
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data["kubeconfig"])
	if err != nil {
		return certificate, fmt.Errorf("the kubeconfig cannot be used") // the error would quote it
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return certificate, err
	}
	_, err = clients.CoreV1().Pods(namespace).List(visiting, metav1.ListOptions{})
	return certificate, err
}

// credentials returns the credentials that were visited with.
func (v *visits) credentials() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.seen)
}

// expectNoFailure ends the visits and expects that each of them went well.
func (v *visits) expectNoFailure() {
	GinkgoHelper()
	v.stop()
	Expect(v.failures).To(BeEmpty())
}
