// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/usage"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("status.lastUsed", func() {
	It("tells when, from where and with which certificate an identity was used, as the API server saw it", func() {
		identity := newIdentity("used")
		Consistently(func() *v1alpha1.LastUsed { return get(identity.Name).Status.LastUsed }, "3s").Should(BeNil(), "the operator's proof is no use")

		before := time.Now().Add(-time.Second).Truncate(time.Second)
		config := holder(identity)
		config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				r.Header.Set("X-Forwarded-For", "203.0.113.7")
				return inner.RoundTrip(r)
			})
		})
		use(config, "kubectl/v1.36.3\u202e (linux/amd64)")
		var last *v1alpha1.LastUsed
		Eventually(func() *v1alpha1.LastUsed {
			last = get(identity.Name).Status.LastUsed
			return last
		}).ShouldNot(BeNil())
		Expect(last.Fingerprint).To(Equal(identity.Status.Certificate.Fingerprint))
		Expect(last.Revision).To(BeEquivalentTo(1))
		Expect(last.SourceAddress).To(Equal("127.0.0.1"), "not what the client says of itself")
		Expect(last.UserAgent).To(And(HavePrefix("kubectl/v1.36.3"), HaveSuffix(" (linux/amd64)"), Not(ContainSubstring("\u202e"))))
		Expect(last.Time.Time).To(BeTemporally(">=", before))
		Expect(last.Certificates).To(ConsistOf(last.CertificateUse))

		By("using the old certificate after a renewal, and then the new one")
		annotate(identity.Name)
		Eventually(func() int64 { return get(identity.Name).Status.Certificate.Revision }).Should(BeEquivalentTo(2))
		Expect(get(identity.Name).Status.LastUsed).To(Equal(last), "a renewal is no use, and undoes none")
		use(holder(get(identity.Name)), "new/1")
		Eventually(func() []v1alpha1.CertificateUse { return get(identity.Name).Status.LastUsed.Certificates }).Should(HaveLen(2))
		last = get(identity.Name).Status.LastUsed
		Expect(last.CertificateUse).To(Equal(last.Certificates[0]))
		Expect(last.Revision).To(BeEquivalentTo(2))
		Expect(last.UserAgent).To(Equal("new/1"))
	})

	It("is written once, however many events there are", func() {
		identity := newIdentity("flooded")
		use(holder(identity), "first/1")
		Eventually(func() *v1alpha1.LastUsed { return get(identity.Name).Status.LastUsed }).ShouldNot(BeNil())
		written := get(identity.Name)
		config := holder(identity)
		for range 50 {
			use(config, "again/1")
		}
		var many []auditv1.Event
		for n := range 400 {
			many = append(many, eventOf(written, "flood/1", time.Duration(n)*time.Millisecond))
		}
		for range 50 {
			Expect(post(trusted(auditClient), eventList(many...))).To(Equal(http.StatusOK))
		}
		Consistently(func() string { return get(identity.Name).ResourceVersion }, "3s").Should(Equal(written.ResourceVersion))
		Expect(operatorPatches(identity.Name)).To(Equal(2), "the status of the issuance, and the first use")
	})

	It("is moved by nobody but the API server", func() {
		identity := newIdentity("forged")
		forged := eventList(eventOf(identity, "forged/1", 0))
		stranger, err := controlplane.NewCA("audit-ca", caLifetime)
		Expect(err).NotTo(HaveOccurred())

		Expect(post(nil, forged)).To(BeZero(), "without a certificate there is no connection")
		Expect(post(certificateOf(stranger, auditClient), forged)).To(BeZero(), "a CA of the same name is another one")
		Expect(post(certificateOf(cp.ClientCA(), auditClient), forged)).To(BeZero(), "nor does the cluster's CA count, where another one is configured")
		Expect(post(trusted("kubernetes-admin"), forged)).To(Equal(http.StatusForbidden))
		Expect(post(trusted(auditClient), slices.Concat(forged, bytes.Repeat([]byte(" "), 11<<20)))).To(Equal(http.StatusRequestEntityTooLarge))
		Expect(post(trusted(auditClient), eventList(eventOf(identity, strings.Repeat("x", 11<<20), 0)))).To(Equal(http.StatusRequestEntityTooLarge))
		Expect(post(trusted(auditClient), []byte(`{"kind":"EventList"`))).To(Equal(http.StatusBadRequest))
		Expect(post(trusted(auditClient), []byte(`{"kind":"ConfigMapList","apiVersion":"v1","items":[]}`))).To(Equal(http.StatusBadRequest))
		Consistently(func() *v1alpha1.LastUsed { return get(identity.Name).Status.LastUsed }).Should(BeNil())

		By("being the API server")
		Expect(post(trusted(auditClient), forged)).To(Equal(http.StatusOK))
		Eventually(func() *v1alpha1.LastUsed { return get(identity.Name).Status.LastUsed }).ShouldNot(BeNil())
	})

	It("is taken with the shipped overlay, whose flags are valid", func() {
		manifests, err := operator.Render(ctx, cp, "config/overlays/audit-webhook")
		Expect(err).NotTo(HaveOccurred())
		var deployment appsv1.Deployment
		var service corev1.Service
		for _, document := range strings.Split(manifests, "---\n") {
			var object metav1.PartialObjectMetadata
			Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed())
			switch {
			case object.Kind == "Deployment":
				Expect(yaml.UnmarshalStrict([]byte(document), &deployment)).To(Succeed())
			case object.Kind == "Service" && object.Name == "client-identity-operator-webhook":
				Expect(yaml.UnmarshalStrict([]byte(document), &service)).To(Succeed())
			}
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		options := manager.DefaultOptions()
		flags := flag.NewFlagSet("manager", flag.ContinueOnError)
		options.BindFlags(flags)
		Expect(flags.Parse(container.Args)).To(Succeed())
		Expect(options.Audit.ClientName).To(Equal(auditClient), "the name in the certificate of config/audit/webhook.yaml")
		options.Audit.ClientCAFile = filepath.Join(auditDir, "ca.crt") // of a pod
		Expect(options.Validate()).To(Succeed())
		Expect(container.Ports).To(ContainElement(And(HaveField("Name", "audit"), HaveField("ContainerPort", BeEquivalentTo(9444)))))
		Expect(service.Spec.Ports).To(ContainElement(And(HaveField("Port", BeEquivalentTo(9444)), HaveField("TargetPort.StrVal", "audit"))))
		Expect(options.Audit.BindAddress).To(Equal(":9444"))
	})
})

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// annotate asks for a renewal.
func annotate(name string) {
	GinkgoHelper()
	Expect(admin.Patch(ctx, get(name), client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"annotations":{"`+v1alpha1.RenewRequestedAtAnnotation+`":"now"}}}`)))).To(Succeed())
}

// eventOf returns an event of the use of an identity's certificate, some time from now.
func eventOf(identity *v1alpha1.ClientIdentity, userAgent string, after time.Duration) auditv1.Event {
	return auditv1.Event{
		Level: auditv1.LevelMetadata, AuditID: "forged", Stage: auditv1.StageResponseComplete, Verb: "get", RequestURI: "/api",
		User: authenticationv1.UserInfo{Username: identity.Spec.Username, Extra: map[string]authenticationv1.ExtraValue{
			credentialID: {"X509SHA256=" + identity.Status.Certificate.Fingerprint},
		}},
		SourceIPs: []string{"198.51.100.9"}, UserAgent: userAgent, StageTimestamp: metav1.NewMicroTime(time.Now().Add(after)),
	}
}

func eventList(events ...auditv1.Event) []byte {
	GinkgoHelper()
	body, err := json.Marshal(auditv1.EventList{TypeMeta: metav1.TypeMeta{Kind: "EventList", APIVersion: "audit.k8s.io/v1"}, Items: events})
	Expect(err).NotTo(HaveOccurred())
	return body
}

// trusted returns a client certificate of that name and of the CA that the operator accepts.
func trusted(name string) *tls.Certificate {
	GinkgoHelper()
	return certificateOf(auditCA, name)
}

func certificateOf(ca *controlplane.CA, name string) *tls.Certificate {
	GinkgoHelper()
	cert, key, err := ca.ClientCertificate(name)
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(cert, key)
	Expect(err).NotTo(HaveOccurred())
	return &pair
}

// post posts a body to the operator and returns the code of its answer; 0 where it gave none.
func post(certificate *tls.Certificate, body []byte) int {
	GinkgoHelper()
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(auditCA.CertPEM())).To(BeTrue())
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	// The body waits for the server's word: a refusal before it is read would break the connection under it.
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+endpoint+usage.Path, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Expect", "100-continue")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	Expect(response.Body.Close()).To(Succeed())
	return response.StatusCode
}

// operatorPatches returns how often the operator has patched the status of an identity.
func operatorPatches(name string) int {
	GinkgoHelper()
	patches := 0
	for _, e := range events() {
		if e.User.Username == operator.Username && e.Verb == "patch" && e.ObjectRef.Resource == "clientidentities" && e.ObjectRef.Subresource == "status" && e.ObjectRef.Name == name {
			patches++
		}
	}
	return patches
}
