// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"encoding/pem"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/cluster"
	"github.com/clientidentity/operator/internal/preflight"
	"github.com/clientidentity/operator/test/controlplane"
)

var _ = Describe("Preflight", Ordered, ContinueOnFailure, func() {
	Context("before the installation", beforeIt)
	Context("after the installation", afterIt)
})

func beforeIt() {
	It("misses the URL of the API server where no cluster-info tells it, and nothing else", func() {
		r := asAdmin()
		Expect(r.code).To(Equal(1))
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"kubeconfig-server": preflight.Fail, "kubeconfig-ca": preflight.Skip})))
		Expect(r.check("kubeconfig-server").Fix).To(ContainSubstring("--kubeconfig-server=" + cp.URL()))
		Expect(r.report.Facts.Kubeconfig.Server).To(BeEmpty())

		Expect(asAdmin("--kubeconfig-server=" + cp.URL()).code).To(Equal(0))
	})

	It("works where cluster-info tells it, and says for how long certificates are issued", func() {
		Expect(cp.PublishClusterInfo(ctx)).To(Succeed())
		r := asAdmin()
		Expect(r.code).To(Equal(0), r.stderr)
		Expect(r.stderr).To(BeEmpty())
		Expect(r.results()).To(Equal(but(nil)))
		facts := r.report.Facts
		Expect(facts.APIServer.URL).To(Equal(cp.URL()))
		Expect(facts.Caller).To(Equal("controlplane-admin"))
		Expect(*facts.Installed).To(BeFalse())
		Expect(*facts.Signer.Signs).To(BeTrue())
		Expect(*facts.Signer.Authenticates).To(BeTrue())
		Expect(facts.Signer.MinLifetimeSeconds).To(BeNumerically("~", 600, 5))
		Expect(*facts.Signer.BackdatedSeconds).To(BeNumerically("~", 300, 5))
		Expect(facts.Signer.MaxLifetimeSeconds).To(BeNumerically("~", month.Seconds()-300, 5))
		Expect(r.check("longest-lifetime").Message).To(ContainSubstring("issued 30 days"))
		Expect(facts.Kubeconfig.Server).To(Equal(cp.URL()))
		Expect(facts.Kubeconfig.Source).To(Equal("ClusterInfo"))
		Expect(facts.Kubeconfig.CAFingerprints).To(HaveLen(1))
		Expect(facts.Denial).To(Equal("off"))
	})

	It("is printed for people, one line for each check, as it is found", func() {
		cmd := command(cp.Kubeconfig())
		output, err := cmd.Output()
		Expect(codeOf(err)).To(Equal(0))
		Expect(string(output)).To(And(ContainSubstring("ok    signer "), ContainSubstring("\nwarn  longest-lifetime "), ContainSubstring("-> start the operator with --max-ttl=720h"),
			ContainSubstring("off   denial")))
		Expect(string(output)).NotTo(ContainSubstring("PRIVATE KEY"))
	})

	It("ends with 2 where it is called wrongly, and prints no report", func() {
		for _, flags := range [][]string{{"--tries=0"}, {"-o=yaml"}, {"--signer-timeout=1ms"}, {"--kubeconfig-certificate-authority=/none"}, {"now"}} {
			cmd := command(cp.Kubeconfig(), flags...)
			output, err := cmd.Output()
			Expect(codeOf(err)).To(Equal(2), "%q", flags)
			Expect(output).To(BeEmpty())
		}
	})

	It("says what is wrong with a cluster-info", func() {
		DeferCleanup(func() { Expect(restoreClusterInfo()).To(Succeed()) })
		Expect(changeClusterInfo(func(string) string { return "{{no kubeconfig" })).To(Succeed())
		r := asAdmin()
		Expect(r.check("kubeconfig-server").Message).To(ContainSubstring("ConfigMap kube-public/cluster-info: key kubeconfig cannot be read"))

		other, err := controlplane.NewCA("another-ca", time.Hour)
		Expect(err).NotTo(HaveOccurred())
		Expect(restoreClusterInfo()).To(Succeed())
		caFile := filepath.Join(GinkgoT().TempDir(), "ca.crt")
		Expect(os.WriteFile(caFile, other.CertPEM(), 0o600)).To(Succeed())
		r = asAdmin("--kubeconfig-certificate-authority=" + caFile)
		Expect(r.check("kubeconfig-ca")).To(And(HaveField("Result", preflight.Fail), HaveField("Message", ContainSubstring("controlplane-server-ca")),
			HaveField("Fix", ContainSubstring("--kubeconfig-certificate-authority"))))

		By("pointing nowhere")
		r = asAdmin("--kubeconfig-server=https://127.0.0.1:1")
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"kubeconfig-ca": preflight.Warn, "kubeconfig-authentication": preflight.Warn})))
	})

	It("tells of what ends TLS before the API server", func() {
		to, err := url.Parse(cp.URL())
		Expect(err).NotTo(HaveOccurred())
		proxy := httputil.NewSingleHostReverseProxy(to)
		proxy.Transport, err = rest.TransportFor(rest.AnonymousClientConfig(cp.Config()))
		Expect(err).NotTo(HaveOccurred())
		server := httptest.NewUnstartedServer(proxy)
		server.Config.ErrorLog = log.New(GinkgoWriter, "", 0)
		server.StartTLS()
		DeferCleanup(server.Close)
		caFile := filepath.Join(GinkgoT().TempDir(), "ca.crt")
		Expect(os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)).To(Succeed())

		r := asAdmin("--kubeconfig-server="+server.URL, "--kubeconfig-certificate-authority="+caFile)
		Expect(r.results()).To(Equal(but(map[string]preflight.Result{"kubeconfig-authentication": preflight.Fail})))
		Expect(r.check("kubeconfig-authentication").Message).To(ContainSubstring("something before the API server ends TLS"))
		Expect(*r.report.Facts.Kubeconfig.Authenticates).To(BeFalse())

		By("with the API server's CA, as a kubeconfig would carry it")
		r = asAdmin("--kubeconfig-server=" + server.URL)
		Expect(r.results()).To(HaveKeyWithValue("kubeconfig-ca", preflight.Fail))
		Expect(r.check("kubeconfig-authentication").Message).To(ContainSubstring("something before the API server ends TLS"))
	})

	It("names the rights that somebody misses, and how to give them", func() {
		nobody, err := cp.ConfigFor("nobody-special")
		Expect(err).NotTo(HaveOccurred())
		kubeconfig := kubeconfigOf(nobody)
		r := as(kubeconfig)
		Expect(r.check("rights").Message).To(ContainSubstring("whoever installs it, nobody-special, misses"))
		Expect(r.report.Facts.MissingRights).To(ContainElement(preflight.Right{APIGroup: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Verb: "create"}))
		Expect(r.check("signer").Fix).To(ContainSubstring("create, get, list, watch and delete on certificatesigningrequests"))

		By("letting them make requests, and approve none")
		grant("nobody-special", rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create", "get", "delete"}})
		r = as(kubeconfig)
		Expect(r.check("signer").Message).To(ContainSubstring("cannot be approved"))
		Expect(r.check("signer").Fix).To(ContainSubstring("resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]"))
		Expect(r.results()).To(HaveKeyWithValue("authentication", preflight.Skip))
	})

	It("names the rights of the operator that whoever installs it may not give", func() {
		installer, err := cp.ConfigFor("installer")
		Expect(err).NotTo(HaveOccurred())
		// All that kubectl apply takes, and nothing that the roles grant.
		grant("installer", rbacv1.PolicyRule{APIGroups: []string{
			"", "apps", "policy", "rbac.authorization.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io",
		}, Resources: []string{rbacv1.ResourceAll}, Verbs: []string{"get", "create", "patch"}})
		r := as(kubeconfigOf(installer))
		Expect(r.check("rights").Message).To(ContainSubstring("may not give the operator"))
		Expect(r.report.Facts.MissingRights).To(ContainElement(preflight.Right{APIGroup: "certificates.k8s.io", Resource: "signers", Name: "kubernetes.io/kube-apiserver-client", Verb: "approve"}))
	})

	It("says who keeps requests from being signed", func() {
		// The API server goes on for a moment by a policy that is gone.
		DeferCleanup(func() {
			Eventually(func() string { return asAdmin().check("longest-lifetime").Message }).Should(ContainSubstring("issued 30 days"))
		})
		By("a policy against long lifetimes")
		forbid("certificatesigningrequests", admissionregistrationv1.Create, "object.spec.expirationSeconds <= 2592000", "certificates live 30 days at most here")
		Eventually(func() string { return asAdmin().check("longest-lifetime").Message }).Should(And(
			ContainSubstring("not known"), ContainSubstring("certificates live 30 days at most here")))
		Expect(asAdmin().results()).To(Equal(but(nil)))

		By("a policy against approvals")
		forbid("certificatesigningrequests/approval", admissionregistrationv1.Update, "false", "ask the platform team")
		Eventually(func() preflight.Finding { return asAdmin().check("signer") }).Should(And(
			HaveField("Result", preflight.Fail), HaveField("Message", And(ContainSubstring("cannot be approved"), ContainSubstring("ask the platform team")))))
		Expect(asAdmin().results()).To(HaveKeyWithValue("denial", preflight.Skip))
	})

	It("waits for a signer, says so, and leaves nothing behind where there is none", func() {
		Expect(cp.StopComponent(controlplane.ControllerManager)).To(Succeed())
		DeferCleanup(func() { Expect(cp.StartComponent(ctx, controlplane.ControllerManager)).To(Succeed()) })
		r := asAdmin("--signer-timeout=3s")
		Expect(r.code).To(Equal(1))
		Expect(r.stderr).To(ContainSubstring("... looking at signer, up to "))
		Expect(r.check("signer").Message).To(ContainSubstring("no certificate after 3s"))
		Expect(*r.report.Facts.Signer.Signs).To(BeFalse())

		By("Ctrl-C")
		cmd := command(cp.Kubeconfig(), "--signer-timeout=10m")
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, GinkgoWriter
		Expect(cmd.Start()).To(Succeed())
		Eventually(requests).ShouldNot(BeEmpty())
		Expect(cmd.Process.Signal(syscall.SIGINT)).To(Succeed())
		Expect(codeOf(cmd.Wait())).To(Equal(1))
		Expect(requests()).To(BeEmpty())
		Expect(output.String()).To(MatchRegexp(`(?m)^skip +denial +interrupted$`))
	})

	It("says that the API server does not know the signer's CA, and what bounds lifetimes besides the signer", func() {
		before := cp.ClientCA()
		DeferCleanup(func() { Expect(cp.UseSigningCA(ctx, before)).To(Succeed()) })
		DeferCleanup(func() { Expect(cp.TrustClientCAs(ctx, before)).To(Succeed()) })
		other, err := controlplane.NewCA("short-ca", 90*time.Minute)
		Expect(err).NotTo(HaveOccurred())
		Expect(cp.UseSigningCA(ctx, other)).To(Succeed())
		r := asAdmin()
		Expect(r.check("authentication")).To(And(HaveField("Result", preflight.Fail), HaveField("Message", ContainSubstring(`(issuer "CN=short-ca")`)),
			HaveField("Fix", ContainSubstring("--client-ca-file"))))
		Expect(*r.report.Facts.Signer.Authenticates).To(BeFalse())

		Expect(cp.TrustClientCAs(ctx, before, other)).To(Succeed())
		r = asAdmin()
		Expect(r.results()).To(Equal(but(nil)))
		Expect(r.report.Facts.Signer.MaxLifetimeSeconds).To(And(BeNumerically("<=", 90*60), BeNumerically(">", 60*60)))
		Expect(r.check("longest-lifetime").Fix).To(ContainSubstring("--max-ttl=1h,"))
	})

	It("says that no API server is there", func() {
		r := asAdmin("--server=https://127.0.0.1:1")
		Expect(r.check("api-server").Message).To(ContainSubstring("https://127.0.0.1:1 was not reached"))
		for _, check := range r.report.Checks[1:] {
			Expect(check.Result).To(Equal(preflight.Skip), check.Name)
		}
	})
}

// changeClusterInfo changes the kubeconfig in cluster-info.
func changeClusterInfo(change func(string) string) error {
	var info corev1.ConfigMap
	if err := admin.Get(ctx, cluster.ClusterInfo, &info); err != nil {
		return err
	}
	info.Data["kubeconfig"] = change(info.Data["kubeconfig"])
	return admin.Update(ctx, &info)
}

func restoreClusterInfo() error {
	info := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.ClusterInfo.Namespace, Name: cluster.ClusterInfo.Name}}
	if err := admin.Delete(ctx, info); err != nil {
		return err
	}
	return cp.PublishClusterInfo(ctx)
}

// grant gives a user rights in the whole cluster, until the spec ends.
func grant(user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	name := metav1.ObjectMeta{Name: "preflight-" + user}
	objects := []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: name, Rules: rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}},
	}
	create(objects...)
}

// create creates objects until the spec ends.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
}

// forbid has a policy refuse what it does not let through, until the spec ends.
func forbid(resource string, operation admissionregistrationv1.OperationType, unless, message string) {
	GinkgoHelper()
	name := metav1.ObjectMeta{GenerateName: "preflight-"}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: name, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{operation},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"certificates.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{resource}},
			},
		}}},
		Validations: []admissionregistrationv1.Validation{{Expression: unless, Message: message, Reason: ptr.To(metav1.StatusReasonForbidden)}},
	}}
	create(policy)
	create(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
	}})
}
