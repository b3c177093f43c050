// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

const credentialID = "authentication.kubernetes.io/credential-id"

var _ = Describe("The shipped audit policy", func() {
	It("records what an identity does, with the certificate that it uses, and what it is refused", func() {
		identity := newIdentity("recorded")
		use(holder(identity), "recorded/1")
		Eventually(func() []auditv1.Event {
			return slices.DeleteFunc(events(), func(e auditv1.Event) bool { return e.UserAgent != "recorded/1" })
		}).Should(ConsistOf(And(
			HaveField("User.Username", identity.Spec.Username),
			HaveField("User.Extra", HaveKeyWithValue(credentialID, ConsistOf("X509SHA256="+identity.Status.Certificate.Fingerprint))),
			HaveField("Verb", "list"),
			HaveField("ObjectRef.Resource", "configmaps"),
			HaveField("ResponseStatus.Code", BeEquivalentTo(403)),
		)))
	})

	It("records who asked for which access, and no content of a Secret", func() {
		identity := newIdentity("asked")
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: "client-identities", Name: identity.Name + "-kubeconfig"}, secret)).To(Succeed())
		Eventually(func() []string {
			var users []string
			for _, e := range events() {
				asked := &v1alpha1.ClientIdentity{}
				if e.Verb == "create" && e.ObjectRef.Resource == "clientidentities" && e.RequestObject != nil &&
					json.Unmarshal(e.RequestObject.Raw, asked) == nil && asked.Name == identity.Name {
					users = append(users, asked.Spec.Username)
				}
			}
			return users
		}).Should(ConsistOf(identity.Spec.Username))
		var writes, reads int
		for _, e := range events() {
			if e.ObjectRef == nil || e.ObjectRef.Resource != "secrets" {
				continue
			}
			if e.RequestObject != nil || e.ResponseObject != nil {
				Fail("an event has the content of a Secret") // without printing it
			}
			if e.User.Username == operator.Username && e.Verb == "create" {
				writes++
			} else if e.Verb == "get" && e.ObjectRef.Name == secret.Name {
				reads++
			}
		}
		Expect(writes).To(BeNumerically(">", 0), "the operator's writes of Secrets")
		Expect(reads).To(BeNumerically(">", 0), "the administrator's read of this Secret")
	})

	It("records a certificate that is not accepted", func() {
		use(strangerConfig(), "stranger/1")
		Eventually(func() []auditv1.Event {
			return slices.DeleteFunc(events(), func(e auditv1.Event) bool { return e.UserAgent != "stranger/1" })
		}).Should(ContainElement(And(HaveField("User.Username", ""), HaveField("ResponseStatus.Code", BeEquivalentTo(401)), HaveField("SourceIPs", Not(BeEmpty())))))
	})

	It("leaves out what Kubernetes' own components do all day long", func() {
		newIdentity("busy") // which gives them something to do
		all := events()
		Expect(all).To(ContainElement(HaveField("User.Username", "system:serviceaccount:client-identity-system:client-identity-operator")))
		Expect(all).To(ContainElement(HaveField("RequestURI", HavePrefix("/readyz"))), "a user with a certificate may be there for nothing else")
		for _, e := range all {
			component := strings.HasPrefix(e.User.Username, "system:kube-") || e.User.Username == "system:apiserver" ||
				slices.Contains(e.User.Groups, "system:serviceaccounts:kube-system")
			Expect(component && slices.Contains([]string{"get", "list", "watch"}, e.Verb)).To(BeFalse(), "%s %s %s", e.User.Username, e.Verb, e.RequestURI)
			if strings.HasPrefix(e.RequestURI, "/healthz") || strings.HasPrefix(e.RequestURI, "/livez") || strings.HasPrefix(e.RequestURI, "/readyz") {
				Expect(e.User.Groups).NotTo(ContainElement(BeElementOf("system:unauthenticated", "system:nodes", "system:serviceaccounts")), e.RequestURI)
			}
			Expect(e.Stage).NotTo(Equal(auditv1.StageRequestReceived))
			Expect(component && e.ObjectRef != nil && slices.Contains([]string{"leases", "events"}, e.ObjectRef.Resource)).To(BeFalse(), "%s %s %s", e.User.Username, e.Verb, e.RequestURI)
		}
	})
})

// strangerConfig returns a connection with a certificate of a CA that the API server does not know.
func strangerConfig() *rest.Config {
	GinkgoHelper()
	ca, err := controlplane.NewCA("stranger", caLifetime)
	Expect(err).NotTo(HaveOccurred())
	config := rest.AnonymousClientConfig(cp.Config())
	config.CertData, config.KeyData, err = ca.ClientCertificate("stranger")
	Expect(err).NotTo(HaveOccurred())
	return config
}

// events returns what is in the audit log.
func events() []auditv1.Event {
	GinkgoHelper()
	file, err := os.Open(cp.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	var all []auditv1.Event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		event := auditv1.Event{}
		if json.Unmarshal(lines.Bytes(), &event) == nil { // the last line may be half written
			all = append(all, event)
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return all
}
