// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// What people do by hand with openssl, kubectl certificate approve, kubectl config and kubectl create rolebinding, and what
// they get from it.
var _ = Describe("What is done by hand otherwise", func() {
	It("makes the username the CN and the groups the O of a client certificate of the cluster's CA", func() {
		name := uniqueName("subject")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{"developers", "team-a"}
		}))
		identity := eventuallyReady(name)
		certificate := publishedCertificate(identity)
		Expect(certificate.Subject.CommonName).To(Equal(name + "@example.com"))
		Expect(certificate.Subject.Organization).To(ConsistOf("developers", "team-a"))

		roots := x509.NewCertPool()
		roots.AddCert(cp.ClientCA().Certificate())
		_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		Expect(err).NotTo(HaveOccurred())
		Expect(certificate.ExtKeyUsage).To(ConsistOf(x509.ExtKeyUsageClientAuth))
		Expect(certificate.IsCA).To(BeFalse())
		expectUser(identity)

		By("saying in the status what openssl x509 -enddate would")
		status := identity.Status.Certificate
		Expect(status.NotAfter.Time.Equal(certificate.NotAfter)).To(BeTrue())
		Expect(status.NotBefore.Time.Equal(certificate.NotBefore)).To(BeTrue())
		Expect(status.Issuer).To(ContainSubstring(certificate.Issuer.CommonName))
		Expect(status.Fingerprint).To(Equal(digest(certificate.Raw)))
	})

	It("publishes certificate, key and CA as files that openssl and curl take", func() {
		name := uniqueName("files")
		create(newIdentity(name))
		identity := eventuallyReady(name)
		secret := publishedSecret(identity)
		block, after := pem.Decode(secret.Data["tls.key"])
		if block == nil || len(after) > 0 {
			Fail("tls.key is not one PEM block") // without printing it
		}
		Expect(block.Type).To(Equal("PRIVATE KEY"))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		expectNoSecretError(err, "tls.key is PKCS #8")
		Expect(key.(*ecdsa.PrivateKey).PublicKey.Equal(publishedCertificate(identity).PublicKey)).To(BeTrue(), "tls.key belongs to tls.crt")

		By("calling the API server with nothing but the three files")
		pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		expectNoSecretError(err, "tls.crt and tls.key are a pair")
		roots := x509.NewCertPool()
		Expect(roots.AppendCertsFromPEM(secret.Data["ca.crt"])).To(BeTrue())
		server, err := url.Parse(cp.URL())
		Expect(err).NotTo(HaveOccurred())
		connected, err := tls.Dial("tcp", server.Host, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
		Expect(err).NotTo(HaveOccurred())
		Expect(connected.Close()).To(Succeed())
	})

	It("publishes a kubeconfig with one cluster, one user and one context, named after identity and cluster", func() {
		name := uniqueName("config")
		create(newIdentity(name))
		secret := publishedSecret(eventuallyReady(name))
		config, err := clientcmd.Load(secret.Data["kubeconfig"])
		expectNoSecretError(err, "clientcmd reads the kubeconfig")

		own := name + "@kubernetes"
		Expect(config.CurrentContext).To(Equal(own))
		Expect(config.Contexts).To(HaveLen(1))
		Expect(config.Contexts[own].Cluster).To(Equal("kubernetes"))
		Expect(config.Contexts[own].AuthInfo).To(Equal(own))
		Expect(config.Contexts[own].Namespace).To(BeEmpty())
		Expect(config.Clusters).To(HaveLen(1))
		Expect(config.Clusters["kubernetes"].Server).To(Equal(cp.URL()))
		Expect(string(config.Clusters["kubernetes"].CertificateAuthorityData)).To(Equal(string(cp.ServerCA())))
		Expect(config.Clusters["kubernetes"].InsecureSkipTLSVerify).To(BeFalse())
		Expect(string(secret.Data["ca.crt"])).To(Equal(string(cp.ServerCA())))

		Expect(config.AuthInfos).To(HaveLen(1))
		user := config.AuthInfos[own]
		Expect(string(user.ClientCertificateData)).To(Equal(string(secret.Data["tls.crt"])))
		Expect(digest(user.ClientKeyData)).To(Equal(digest(secret.Data["tls.key"])), "the embedded key")
		alone := clientcmdapi.AuthInfo{ClientCertificateData: user.ClientCertificateData, ClientKeyData: user.ClientKeyData}
		Expect(equalAuthInfo(*user, alone)).To(BeTrue(), "the user has nothing but a certificate and a key")
	})

	It("works with kubectl: whoami, forbidden without a binding, allowed with one", func() {
		namespace := createNamespace("development", nil)
		name := uniqueName("kubectl")
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{"developers"}
		}))
		identity := eventuallyReady(name)
		file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		Expect(os.WriteFile(file, publishedSecret(identity).Data["kubeconfig"], 0o600)).To(Succeed())

		out, err := kubectl(file, "auth", "whoami", "-o", "json")
		Expect(err).NotTo(HaveOccurred(), out)
		review := authenticationv1.SelfSubjectReview{}
		Expect(json.Unmarshal([]byte(out), &review)).To(Succeed())
		Expect(review.Status.UserInfo.Username).To(Equal(name + "@example.com"))
		Expect(review.Status.UserInfo.Groups).To(ConsistOf("developers", "system:authenticated"))

		out, err = kubectl(file, "get", "pods", "-n", namespace)
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("pods is forbidden"))

		update(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.RoleBindings = []v1alpha1.RoleBinding{{
				Name: "dev", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"},
			}}
		})
		Eventually(func() (string, error) { return kubectl(file, "get", "pods", "-n", namespace) }).Should(ContainSubstring("No resources found"))
		out, err = kubectl(file, "get", "pods", "-n", "default")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("pods is forbidden"))
	})

	DescribeTable("grants exactly what the binding says",
		func(byGroup bool, bound func(namespace, role string) v1alpha1.ClientIdentitySpec, elsewhere bool) {
			namespace, other := createNamespace("bound", nil), createNamespace("elsewhere", nil)
			name := uniqueName("binding")
			rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}
			create(
				&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Rules: rules},
				&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
			)
			group := name + "-group"
			create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
				spec := bound(namespace, name)
				identity.Spec.Groups = []string{group}
				identity.Spec.RoleBindings, identity.Spec.ClusterRoleBindings = spec.RoleBindings, spec.ClusterRoleBindings
				for i := range spec.RoleBindings {
					if byGroup {
						spec.RoleBindings[i].Group = group
					}
				}
				for i := range spec.ClusterRoleBindings {
					if byGroup {
						spec.ClusterRoleBindings[i].Group = group
					}
				}
			}))
			identity := eventuallyReady(name)
			Expect(identity.Status.BoundBindings).To(BeEquivalentTo(1))
			connection := holder(identity)
			// The API server's authorizer sees a new binding a moment later.
			Eventually(func() bool { return may(connection, "list", "", "pods", namespace) }).Should(BeTrue())
			Expect(may(connection, "delete", "", "pods", namespace)).To(BeFalse(), "another verb")
			Expect(may(connection, "list", "", "secrets", namespace)).To(BeFalse(), "another resource")
			Expect(may(connection, "list", "", "pods", other)).To(Equal(elsewhere), "another namespace")

			By("asking for somebody else in the group")
			colleague, err := cp.ConfigFor(name+"-colleague", group)
			Expect(err).NotTo(HaveOccurred())
			Expect(may(colleague, "list", "", "pods", namespace)).To(Equal(byGroup))
		},
		Entry("of the user to a Role", false, bindRole("Role"), false),
		Entry("of the user to a ClusterRole in one namespace", false, bindRole("ClusterRole"), false),
		Entry("of the user to a ClusterRole in the cluster", false, bindClusterRole, true),
		Entry("of a group to a Role", true, bindRole("Role"), false),
		Entry("of a group to a ClusterRole in one namespace", true, bindRole("ClusterRole"), false),
		Entry("of a group to a ClusterRole in the cluster", true, bindClusterRole, true),
	)

	It("refuses the group system:masters, with a message that says what to do", func() {
		err := admin.Create(ctx, newIdentity(uniqueName("master"), func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Groups = []string{"kube", "system:masters"}
		}))
		Expect(err).To(MatchError(And(
			ContainSubstring("spec.groups[1]"),
			ContainSubstring("reserved by Kubernetes and cannot be given to a client identity: use a group of your own and bind roles to it"),
		)))
	})

	It("gives the CI robot one certificate for as long as the signer allows, and never asks again for more", func() {
		role := uniqueName("ci-deployer")
		create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list", "create", "update", "patch"}},
			{APIGroups: []string{""}, Resources: []string{"pods", "services"}, Verbs: []string{"get", "list"}},
		}})
		name := uniqueName("ci-bot")
		twoYears := 2 * 8760 * time.Hour
		create(newIdentity(name, func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.Username = "system:ci-bot"
			identity.Spec.Groups = []string{"system:automation"}
			identity.Spec.TTL.Duration = twoYears
			identity.Spec.ClusterRoleBindings = []v1alpha1.ClusterRoleBinding{{Name: "deployer", RoleRef: v1alpha1.ClusterRoleRef{Name: role}}}
		}))
		identity := eventuallyReady(name)
		expectUser(identity)
		Eventually(func() bool { return may(holder(identity), "create", "apps", "deployments", "default") }).Should(BeTrue())
		Expect(may(holder(identity), "delete", "apps", "deployments", "default")).To(BeFalse())
		Expect(may(holder(identity), "get", "", "secrets", "default")).To(BeFalse())

		Expect(identity).To(haveCondition(v1alpha1.ConditionCertificateIssued, metav1.ConditionTrue, v1alpha1.ReasonTTLShortened))
		Expect(message(identity, v1alpha1.ConditionCertificateIssued)).To(MatchRegexp(`17520h0m0s was asked for, and 87(60h0|59h5\d)m\d+s was issued`))
		certificate := publishedCertificate(identity)
		Expect(certificate.NotAfter.Sub(certificate.NotBefore)).To(Equal(twoYears / 2))
		Expect(identity.Status.Certificate.RequestedTTL.Duration).To(Equal(twoYears))
		Expect(identity.Status.Certificate.RenewalTime.Time).To(BeTemporally("<", certificate.NotAfter))

		Consistently(func(g Gomega) {
			g.Expect(signingRequests(name)).To(HaveLen(1), "requests that were ever made: none of them is old enough to be cleaned up")
			g.Expect(get(name).Status.Certificate.Revision).To(BeEquivalentTo(1))
		}).Should(Succeed())
		Expect(*signingRequests(name)[0].Spec.ExpirationSeconds).To(BeEquivalentTo(twoYears.Seconds()))
	})

	It("names the certificate in the status as the API server's audit log does", func() {
		name := uniqueName("audit")
		create(newIdentity(name))
		identity := eventuallyReady(name)
		_, err := whoAmI(holder(identity))
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() []string { return credentialsInAuditLog(identity.Spec.Username) }).
			Should(ContainElement("X509SHA256=" + identity.Status.Certificate.Fingerprint))
	})
})

// bindRole returns the spec of a binding in one namespace to a role of that kind.
func bindRole(kind string) func(namespace, role string) v1alpha1.ClientIdentitySpec {
	return func(namespace, role string) v1alpha1.ClientIdentitySpec {
		return v1alpha1.ClientIdentitySpec{RoleBindings: []v1alpha1.RoleBinding{{
			Name: "bound", Namespace: namespace, RoleRef: v1alpha1.RoleRef{Kind: kind, Name: role},
		}}}
	}
}

// bindClusterRole returns the spec of a cluster-wide binding.
func bindClusterRole(_, role string) v1alpha1.ClientIdentitySpec {
	return v1alpha1.ClientIdentitySpec{ClusterRoleBindings: []v1alpha1.ClusterRoleBinding{{
		Name: "bound", RoleRef: v1alpha1.ClusterRoleRef{Name: role},
	}}}
}

// kubectl runs kubectl as the user of a kubeconfig and returns what it prints.
func kubectl(kubeconfig string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, cp.Kubectl(), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	command.Env = append(os.Environ(), "HOME="+filepath.Dir(kubeconfig))
	out, err := command.CombinedOutput()
	return string(out), err
}

// equalAuthInfo compares users of kubeconfigs without printing them.
func equalAuthInfo(a, b clientcmdapi.AuthInfo) bool {
	one, err := json.Marshal(a)
	expectNoSecretError(err, "the JSON form")
	other, err := json.Marshal(b)
	expectNoSecretError(err, "the JSON form")
	return bytes.Equal(one, other)
}

// credentialsInAuditLog returns the credential ids that a user has called the API server with.
func credentialsInAuditLog(username string) []string {
	GinkgoHelper()
	file, err := os.Open(cp.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	var ids []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		event := auditEvent{}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.User.Username == username {
			ids = append(ids, event.User.Extra["authentication.kubernetes.io/credential-id"]...)
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return ids
}
