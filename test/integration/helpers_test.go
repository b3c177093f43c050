// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/operator"
)

// create creates objects and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() {
			Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
			if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
				Eventually(func() bool {
					return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(identity), &v1alpha1.ClientIdentity{}))
				}).Should(BeTrue())
			}
		})
	}
}

// createNamespace creates a namespace with a unique name and returns the name.
func createNamespace(base string, labels map[string]string) string {
	GinkgoHelper()
	name := uniqueName(base)
	create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	return name
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// update changes an identity.
func update(name string, change func(*v1alpha1.ClientIdentity)) {
	GinkgoHelper()
	Expect(tryUpdate(name, change)).To(Succeed())
}

// tryUpdate changes an identity and returns what the API server says of that. That the operator wrote its status meanwhile
// is no answer: it is tried again.
func tryUpdate(name string, change func(*v1alpha1.ClientIdentity)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		GinkgoHelper()
		identity := get(name)
		change(identity)
		return admin.Update(ctx, identity)
	})
}

// haveCondition matches an identity whose condition has that status and reason, for its current generation.
func haveCondition(conditionType string, status metav1.ConditionStatus, reason string) gomegatypes.GomegaMatcher {
	return WithTransform(func(identity *v1alpha1.ClientIdentity) bool {
		c := meta.FindStatusCondition(identity.Status.Conditions, conditionType)
		return c != nil && c.Status == status && c.Reason == reason && identity.Status.ObservedGeneration == identity.Generation
	}, BeTrue())
}

// message returns the message of a condition, or "".
func message(identity *v1alpha1.ClientIdentity, conditionType string) string {
	if c := meta.FindStatusCondition(identity.Status.Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// eventuallyReady waits until the identity is ready and returns it.
func eventuallyReady(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Eventually(func() *v1alpha1.ClientIdentity {
		identity = get(name)
		return identity
	}).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady))
	return identity
}

// publishedSecret returns the Secret that the identity's status names.
func publishedSecret(identity *v1alpha1.ClientIdentity) *corev1.Secret {
	GinkgoHelper()
	ref := identity.Status.SecretRef
	Expect(ref).NotTo(BeNil(), "status.secretRef")
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, secret)).To(Succeed())
	return secret
}

// holder returns a connection as the holder of the published kubeconfig.
func holder(identity *v1alpha1.ClientIdentity) *rest.Config {
	GinkgoHelper()
	config, err := clientcmd.RESTConfigFromKubeConfig(publishedSecret(identity).Data[identity.Spec.Secret.KubeconfigKey])
	expectNoSecretError(err, "clientcmd reads the kubeconfig")
	return config
}

// whoAmI returns whom the API server takes the holder of a connection for.
func whoAmI(config *rest.Config) (authenticationv1.UserInfo, error) {
	return operator.WhoAmI(ctx, config)
}

// expectUser checks that the published kubeconfig authenticates as exactly the user and groups of the spec, besides the
// group that every authenticated user has.
func expectUser(identity *v1alpha1.ClientIdentity, moreGroups ...string) {
	GinkgoHelper()
	user, err := whoAmI(holder(identity))
	Expect(err).NotTo(HaveOccurred())
	Expect(user.Username).To(Equal(identity.Spec.Username))
	want := slices.Concat(identity.Spec.Groups, moreGroups, []string{"system:authenticated"})
	Expect(user.Groups).To(ConsistOf(want))
}

// may says whether the holder of a connection may do something.
func may(config *rest.Config, verb, group, resource, namespace string) bool {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	review, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Namespace: namespace,
		}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return review.Status.Allowed
}

// requestRenewal sets the annotation that asks for a new certificate.
func requestRenewal(name string) {
	GinkgoHelper()
	annotate(name, v1alpha1.RenewRequestedAtAnnotation)
}

// eventuallyRenewed waits until another certificate than that of before is published, and returns the identity.
func eventuallyRenewed(before *v1alpha1.ClientIdentity) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	Eventually(func() string {
		c := get(before.Name).Status.Certificate
		if c == nil {
			return before.Status.Certificate.Fingerprint
		}
		return c.Fingerprint
	}).ShouldNot(Equal(before.Status.Certificate.Fingerprint))
	return eventuallyReady(before.Name)
}

// publishedCertificate returns the certificate in tls.crt, which is alone there.
func publishedCertificate(identity *v1alpha1.ClientIdentity) *x509.Certificate {
	GinkgoHelper()
	block, after := pem.Decode(publishedSecret(identity).Data[v1alpha1.CertificateKey])
	Expect(block).NotTo(BeNil(), "a PEM block in tls.crt")
	Expect(block.Type).To(Equal("CERTIFICATE"))
	Expect(after).To(BeEmpty(), "after the certificate in tls.crt")
	certificate, err := x509.ParseCertificate(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	return certificate
}

// expectNoSecretError is for errors that may quote a private key: nothing of them is printed.
func expectNoSecretError(err error, what string) {
	GinkgoHelper()
	if err != nil {
		Fail("an error that may quote a private key: " + what)
	}
}

// keyDigest stands for the published private key where keys are compared, so that none is printed.
func keyDigest(identity *v1alpha1.ClientIdentity) string {
	GinkgoHelper()
	key := publishedSecret(identity).Data[v1alpha1.PrivateKeyKey]
	Expect(key).NotTo(BeEmpty(), "tls.key")
	return digest(key)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// eventuallyRequested waits until exactly one request of an identity is there, approved and not the former one, and
// returns its name.
func eventuallyRequested(name, former string) string {
	GinkgoHelper()
	var request string
	Eventually(func(g Gomega) {
		requests := signingRequests(name)
		g.Expect(requests).To(HaveLen(1))
		request = requests[0].Name
		g.Expect(request).NotTo(Equal(former))
		g.Expect(requests[0].Status.Conditions).To(ContainElement(HaveField("Type", certificatesv1.CertificateApproved)))
	}).Should(Succeed())
	return request
}

// conditionTypes returns the types of an identity's conditions.
func conditionTypes(identity *v1alpha1.ClientIdentity) []string {
	var types []string
	for _, c := range identity.Status.Conditions {
		types = append(types, c.Type)
	}
	return types
}

// reconciles returns how many times the operators of this process have looked at an identity.
func reconciles() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var sum float64
	for _, family := range families {
		if family.GetName() == "controller_runtime_reconcile_total" {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	Expect(sum).NotTo(BeZero(), "controller_runtime_reconcile_total")
	return sum
}

// newNamespace returns a namespace.
func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
