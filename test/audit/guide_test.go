// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("The guide on audit", Ordered, func() {
	var (
		guide    string
		identity *v1alpha1.ClientIdentity
		dir      string
	)

	BeforeAll(func() {
		for _, tool := range []string{"jq", "openssl", "bash"} {
			Expect(exec.LookPath(tool)).NotTo(BeEmpty(), "%s, which the guide uses", tool)
		}
		plugin, err := gexec.Build("github.com/clientidentity/operator/cmd/kubectl-clientidentity")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(gexec.CleanupBuildArtifacts)
		guide = string(shipped("docs/guides/audit.md"))
		identity = newIdentity("alice", func(identity *v1alpha1.ClientIdentity) { identity.Name = "alice" })
		use(holder(identity), "kubectl/guide")
		dir = GinkgoT().TempDir()
		Expect(os.Symlink(cp.AuditLog(), filepath.Join(dir, "audit.log"))).To(Succeed())
		Expect(os.Symlink(cp.Kubectl(), filepath.Join(dir, "kubectl"))).To(Succeed())
		Expect(os.Symlink(plugin, filepath.Join(dir, "kubectl-clientidentity"))).To(Succeed())
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: "client-identities", Name: "alice-kubeconfig"}, secret)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(dir, "tls.crt"), secret.Data["tls.crt"], 0o600)).To(Succeed())
		Eventually(func() string {
			log, err := os.ReadFile(cp.AuditLog())
			Expect(err).NotTo(HaveOccurred())
			return string(log)
		}).Should(ContainSubstring("kubectl/guide"))
	})

	// run runs the only command of the guide that has that text in it, with the credential id of alice, and returns what it prints.
	run := func(text string) string {
		GinkgoHelper()
		var found []string
		for _, block := range blocks(guide, "sh") {
			if strings.Contains(block, text) {
				found = append(found, block)
			}
		}
		Expect(found).To(HaveLen(1), "commands with %q", text)
		id := "X509SHA256=" + identity.Status.Certificate.Fingerprint
		script := regexp.MustCompile(`(?m)^ID=.*$`).ReplaceAllString(found[0], "")
		command := exec.CommandContext(ctx, "bash", "-u", "-c", script)
		command.Dir = dir
		command.Env = append(os.Environ(), "ID="+id, "KUBECONFIG="+cp.Kubeconfig(), "HOME="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
		var out, problems bytes.Buffer
		command.Stdout, command.Stderr = &out, &problems
		err := command.Run()
		// That there are no warnings, and the plugin's summary, are no problem.
		said := regexp.MustCompile(`(?m)^(No events found in default namespace\.|\d+ events, \d+ certificates: .*)\n`).ReplaceAllString(problems.String(), "")
		Expect(said).To(BeEmpty(), "%s\n%v", script, err)
		Expect(err == nil || !strings.Contains(script, "clientidentity")).To(BeTrue(), "%s\n%v", script, err)
		return out.String()
	}

	It("leads from a credential id to identity, revision and serial number", func() {
		certificate := identity.Status.Certificate
		Expect(strings.Split(strings.TrimSpace(run("select(.fingerprint == $fingerprint)")), "\t")).To(Equal([]string{
			"alice", "1", certificate.SerialNumber, certificate.NotAfter.UTC().Format("2006-01-02T15:04:05Z"),
		}))
	})

	It("leads from a file to both numbers", func() {
		Expect(run("sha256sum")).To(HavePrefix(identity.Status.Certificate.Fingerprint + " "))
		Expect(strings.ToLower(run("-noout -serial"))).To(And(
			ContainSubstring(strings.ToLower(identity.Status.Certificate.SerialNumber)), ContainSubstring(identity.Spec.Username)))
	})

	It("leads from an identity to its certificates, and to what came with them", func() {
		Expect(run("range .status.certificates")).To(HavePrefix("1 " + identity.Status.Certificate.Fingerprint + " "))
		Expect(run("select(.user.extra[\"authentication.kubernetes.io/credential-id\"][0]? == $id)")).To(And(
			ContainSubstring("\t127.0.0.1\t403\tlist\t/api/v1/namespaces/default/configmaps\n"),
			ContainSubstring("\t127.0.0.1\t201\tcreate\t/apis/authentication.k8s.io/v1/selfsubjectreviews?timeout=10s\n")), "use and the operator's proof")
		Expect(run(`// "" | startswith("X509SHA256="))`)).To(ContainSubstring(identity.Spec.Username + "\tX509SHA256=" + identity.Status.Certificate.Fingerprint))
	})

	It("tells who asked for an identity, who read a key, and whose certificate was not accepted", func() {
		Expect(run(`.objectRef.resource == "clientidentities"`)).To(MatchRegexp(`controlplane-admin\t-\tcreate\talice\t201\t.*"username":"alice-\d+@example.com"`))
		Expect(run(`.objectRef.namespace == "client-identities"`)).To(MatchRegexp(`controlplane-admin\tget\talice-kubeconfig\t200`))
		use(strangerConfig(), "guide-stranger/1")
		Eventually(func() string { return run("select(.responseStatus.code == 401)") }).Should(ContainSubstring("127.0.0.1\tguide-stranger/1"))
	})

	It("finds the user of an old certificate", func() {
		before := holder(identity)
		annotate("alice")
		Eventually(func() int64 { return get("alice").Status.Certificate.Revision }).Should(BeEquivalentTo(2))
		use(before, "kubectl/old")
		Eventually(func() string { return run("grep -v /selfsubjectreviews") }).Should(HavePrefix("alice still uses a certificate that ends at "))
	})

	It("has commands that all work", func() {
		all := blocks(guide, "sh")
		Expect(len(all)).To(BeNumerically(">", 8))
		for _, block := range all {
			run(block)
		}
	})

	It("names the metrics that the API server has, and no other", func() {
		admin, err := kubernetes.NewForConfig(cp.Config())
		Expect(err).NotTo(HaveOccurred())
		use(strangerConfig(), "metrics/1") // a failure to be counted
		use(holder(get("alice")), "metrics/1")
		var body []byte
		Eventually(func() bool {
			body, err = admin.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
			Expect(err).NotTo(HaveOccurred())
			return strings.Contains(string(body), "\napiserver_audit_error_total{plugin=\"webhook\"} ")
		}).Should(BeTrue(), "nobody took the first events")
		types := map[string]string{}
		for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(body), -1) {
			types[match[1]] = match[2]
		}
		_, section, found := strings.Cut(guide, "## Metrics of the API server\n")
		Expect(found).To(BeTrue())
		section, _, found = strings.Cut(section, "\n## An audit policy")
		Expect(found).To(BeTrue())

		rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1)
		Expect(len(rows)).To(BeNumerically(">", 5))
		for _, row := range rows {
			Expect(types).To(HaveKey(row[1]))
		}
		queries := strings.Join(blocks(section, "promql"), "\n")
		named := regexp.MustCompile(`\b(?:apiserver|authentication|authenticated)_\w+`).FindAllString(queries, -1)
		Expect(named).NotTo(BeEmpty())
		for _, name := range named {
			family := strings.TrimSuffix(name, "_bucket")
			Expect(types).To(HaveKey(family), "of a query")
			Expect(section).To(ContainSubstring("| `"+family+"` |"), "a query's metric has its row")
		}
		for _, series := range []string{ // the labels that the queries and the table speak of
			`apiserver_client_certificate_expiration_seconds_bucket{le="86400"}`,
			`authentication_attempts{result="error"}`,
			`authentication_attempts{result="success"}`,
			`authenticated_user_requests{username="other"}`,
			`apiserver_audit_level_total{level="Metadata"}`,
		} {
			Expect(strings.Contains(string(body), "\n"+series+" ")).To(BeTrue(), series)
		}
		for name := range types {
			Expect(name).NotTo(Equal("apiserver_authentication_attempts_total"), "the guide says that there is none")
		}
		Expect(strings.Contains(string(body), `authenticator="`)).To(BeFalse(), "the guide says that there is no such label")
	})
})

// blocks returns the blocks of code of a language in a guide.
func blocks(guide, language string) []string {
	var all []string
	for _, match := range regexp.MustCompile("(?ms)^ *```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(guide, -1) {
		all = append(all, match[1])
	}
	return all
}
