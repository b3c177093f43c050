// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/metrics"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// unserved is a signer that the operator may ask, and that nobody serves.
const unserved = "example.com/unserved"

var _ = Describe("Prometheus", func() {
	var (
		ctx   context.Context
		cp    *controlplane.ControlPlane
		admin client.Client
	)

	// newIdentity returns one that is renewed within 15 seconds.
	newIdentity := func(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
		identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
		identity.Spec.Username = name + "@example.com"
		identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
		identity.Spec.RenewBefore = &metav1.Duration{Duration: 10*time.Minute - 15*time.Second}
		for _, change := range changes {
			change(identity)
		}
		return identity
	}
	ready := func(g Gomega, name string) {
		identity := &v1alpha1.ClientIdentity{}
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%s is ready", name)
	}

	It("sees an alert fire for an identity whose renewal fails, and all that the reference names", func() {
		prometheus(specTB{}) // before anything is started: is there one?
		asked := &denial{}
		ctx, cp, admin = suite.Start(asked.startedUnasked(), GinkgoWriter)
		asked.ctx, asked.cp, asked.admin = ctx, cp, admin
		address := startOperator(ctx, cp, asked.configure)

		By("scraping as a ServiceAccount that has no right to")
		token := monitoring(ctx, cp, admin)
		// What is waited for takes minutes and days; the rules are the shipped ones but for that.
		server := startPrometheus(ctx, address, cp.URL(), token, shippedRules(specTB{}).change(func(r *rule) {
			if r.For != "" {
				r.For = "1s"
			}
		}))
		finds := func(query string) {
			GinkgoHelper()
			Eventually(server.query).WithArguments(query).ShouldNot(BeEmpty(), query)
		}
		Eventually(server.operator).Should(And(HaveField("Health", "down"), HaveField("LastError", ContainSubstring("403"))))

		By("granting it the shipped ClusterRole")
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "client-identity-operator-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "monitoring", Name: "prometheus"}},
		})).To(Succeed())
		Eventually(server.operator).Should(HaveField("Health", "up"))

		By("letting the renewals of one of two identities fail")
		webhook := faults.NewAdmission()
		DeferCleanup(webhook.Close)
		webhook.Answer(func(request *admissionv1.AdmissionRequest) faults.Answer {
			if strings.HasPrefix(request.Name, "broken-") {
				return faults.Answer{Code: 403}
			}
			return faults.Answer{}
		})
		Expect(admin.Create(ctx, newIdentity("broken"))).To(Succeed())
		Eventually(ready).WithArguments("broken").Should(Succeed())
		_, err := webhook.Install(ctx, admin, "no-requests", faults.Scope{
			Resources: []string{"certificatesigningrequests"}, Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Create(ctx, newIdentity("fine", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.AccessUntil = &metav1.Time{Time: time.Now().Add(time.Hour)}
		}))).To(Succeed())
		Expect(admin.Create(ctx, newIdentity("waits", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.SignerName = unserved
		}))).To(Succeed())
		Expect(admin.Create(ctx, newIdentity("held", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
		}))).To(Succeed())
		Eventually(ready).WithArguments("held").Should(Succeed())
		enrol(ctx, admin, "held")
		Eventually(server.firing).WithArguments("broken").Should(ContainElement("ClientIdentityIssuanceFails"))
		Expect(server.firing("fine")).NotTo(ContainElement("ClientIdentityIssuanceFails"))
		finds(`clientidentity_issuance_failed_attempts{identity="broken",reason="RequestRejected"} > 0`)

		By("telling whether revoked certificates are denied")
		asked.expectAlerts(server)

		By("finding all that the reference has, with a use as audit events would tell of it")
		fine := &v1alpha1.ClientIdentity{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "fine"}, fine)).To(Succeed())
		unused := client.MergeFrom(fine.DeepCopy())
		fine.Status.LastUsed = &v1alpha1.LastUsed{CertificateUse: v1alpha1.CertificateUse{Fingerprint: "f1", Time: metav1.Now(), SourceAddress: "192.0.2.7"}}
		Expect(admin.Status().Patch(ctx, fine, unused)).To(Succeed())
		var wanted []string
		for _, metric := range slices.Concat(metrics.Reference(), metrics.Libraries(), metrics.OfAPIServer()) {
			if metric.Type == metrics.Histogram {
				wanted = append(wanted, metric.Name+"_bucket")
			} else {
				wanted = append(wanted, metric.Name)
			}
		}
		Eventually(server.metricNames).Should(ContainElements(wanted))
		finds(`sum(clientidentity_issuances_total{result="Published",reason="First"}) >= 2`)
		finds(`clientidentity_admission_decisions_total{result="Allowed"} >= 3`)
		finds(`leader_election_master_status{name="client-identity-operator"} == 1`)

		By("answering what the guide and the dashboard ask")
		guide := read("docs", "guides", "monitoring.md")
		for _, query := range slices.Concat(blocks(guide, "promql"), dashboardQueries()) {
			_, err := server.query(query)
			Expect(err).NotTo(HaveOccurred(), query)
		}
		for question, answer := range map[string]string{
			"sort(max by (identity) (clientidentity_certificate_not_after": "broken",
			`{condition="Ready"}) == 0`:                                    "waits",
			"clientidentity_issuance_failed_attempts":                      "broken",
		} {
			query := matching(blocks(guide, "promql"), question)
			Eventually(server.query).WithArguments(query).Should(ContainElement(HaveField("Metric", HaveKeyWithValue("identity", answer))), query)
		}
		for question, answer := range map[string]string{
			"RENEWS:":             "broken",
			"LAST-USED:":          "192.0.2.7",
			"date -u":             "broken expires",
			".type \"Stalled\"":   "waits Ready=False",
			".failedAttempts":     "RequestRejected",
			"kubectl events -n d": "RequestRejected",
		} {
			command := matching(blocks(guide, "sh"), question)
			Eventually(shell).WithArguments(ctx, cp, command).Should(ContainSubstring(answer), command)
		}

		By("letting renewals through again")
		webhook.Answer(faults.Always(faults.Answer{}))
		Eventually(server.firing).WithArguments("broken").Should(BeEmpty())
		finds(`sum(clientidentity_renewal_delay_seconds_count) >= 1`)

		By("forgetting an identity that was deleted")
		Expect(admin.Delete(ctx, newIdentity("broken"))).To(Succeed())
		Eventually(server.query).WithArguments(`{identity="broken",__name__!="ALERTS",__name__!="ALERTS_FOR_STATE"}`).Should(BeEmpty())
		finds(`clientidentity_state{identity="fine",state="Ready"}`)
	})
})

// read returns a file of the repository.
func read(path ...string) string {
	GinkgoHelper()
	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// blocks returns the lines of the code blocks of a language in Markdown, without comments.
func blocks(markdown, language string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(markdown, -1) {
		for line := range strings.SplitSeq(block[1], "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// matching returns the one line that holds a text.
func matching(lines []string, text string) string {
	GinkgoHelper()
	found := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, text) })
	Expect(found).To(HaveLen(1), text)
	return found[0]
}

// dashboardQueries returns what the dashboard asks for.
func dashboardQueries() []string {
	GinkgoHelper()
	var dashboard struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	Expect(json.Unmarshal([]byte(read("config", "grafana", "client-identity-operator.json")), &dashboard)).To(Succeed())
	var queries []string
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	Expect(len(queries)).To(BeNumerically(">", 20))
	return queries
}

// shell runs a line of a guide as an administrator.
func shell(ctx context.Context, cp *controlplane.ControlPlane, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = cp.Dir()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cp.Kubeconfig(), "HOME="+cp.Dir(), "PATH="+filepath.Dir(cp.Kubectl())+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// startOperator runs the operator as config/default does, with metrics, leader election and the webhook, and with what is configured
// besides. It returns where it serves metrics.
func startOperator(ctx context.Context, cp *controlplane.ControlPlane, configure func(*manager.Options)) string {
	GinkgoHelper()
	connection, err := operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	webhook, err := operator.UseWebhook(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	address := freeAddress()
	running, err := operator.Start(ctx, connection, func(options *manager.Options) {
		options.MetricsBindAddress = address
		options.LeaderElect, options.LeaderElectionNamespace = true, operator.Namespace
		options.AllowedSigners = append(options.AllowedSigners, unserved)
		webhook.Configure(options)
		configure(options)
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
	Expect(webhook.Ready(ctx)).To(Succeed())
	return address
}

// monitoring makes the ServiceAccount of Prometheus, without any right, and returns a token for it.
func monitoring(ctx context.Context, cp *controlplane.ControlPlane, admin client.Client) string {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}})).To(Succeed())
	Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "prometheus"}})).To(Succeed())
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	token, err := clients.CoreV1().ServiceAccounts("monitoring").CreateToken(ctx, "prometheus", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return token.Status.Token
}
