// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/holder"
)

var _ = Describe("audit", func() {
	It("names whose certificates requests came with, in the API server's own log", func() {
		identity := newIdentity("watched", byCredential)
		used := copyOf(identity)
		person := newPerson("auditor").may(identity, "audit")
		_, err := used.Does(ctx, holder.List("secrets", "kube-system"))
		Expect(err).NotTo(HaveOccurred())

		seen := person.run("audit", cp.AuditLog(), "--top", "0")
		Expect(seen.code).To(BeZero(), seen.stderr)
		short := used.Fingerprint[:12]
		Expect(seen.stdout).To(haveRow(short, identity.Name, "-", "1", identity.Spec.Username))
		Expect(seen.stdout).To(haveRow("1", identity.Name+"#1", "list", "secrets", "kube-system", "403"))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^[0-9a-f]{12} +unknown +- +- +auditor`), "certificates that the operator did not issue are said to be unknown")
		Expect(seen.stderr).To(MatchRegexp(`^\d+ events, \d+ certificates: \d+ of them unknown, \d+ not listed any more; \d+ requests came without a certificate, and \d+ were the operator's proofs\n$`))

		By("from a pipe, for a program")
		log, err := os.Open(cp.AuditLog())
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = log.Close() }()
		seen = person.runWith(log, "audit", "-", "-o", "json")
		Expect(seen.code).To(BeZero(), seen.stderr)
		var report struct {
			Credentials []struct {
				Fingerprint, Known, Identity string
				Revision, Requests           int
			}
		}
		Expect(json.Unmarshal([]byte(seen.stdout), &report)).To(Succeed())
		Expect(report.Credentials).To(ContainElement(And(
			HaveField("Fingerprint", used.Fingerprint), HaveField("Known", "Listed"), HaveField("Identity", identity.Name), HaveField("Revision", 1))))

		By("request by request, when the identity does not list the certificate any more")
		line := fmt.Sprintf(`{"stage":"ResponseComplete","verb":"get","requestURI":"/version","user":{"username":%q,"groups":["clientidentity.dev:%s:0"],`+
			`"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%064d"]}},"responseStatus":{"code":200},"stageTimestamp":"2026-11-26T14:00:00Z"}`,
			identity.Spec.Username, strings.ReplaceAll(string(identity.UID), "-", ""), 9)
		seen = person.runWith(strings.NewReader(line), "audit", "-", "--events")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(strings.TrimSpace(seen.stdout)).To(Equal("2026-11-26T14:00:00Z " + identity.Name + "#?000000000000 " + identity.Spec.Username + " get /version 200"))
	})

	It("says what is missing, and to whom", func() {
		identity := newIdentity("unread")
		seen := newPerson("viewer").may(identity, "invite").run("audit", cp.AuditLog())
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("list clientidentities.clientidentity.dev"))
		auditor := newPerson("auditor").may(identity, "audit")
		Expect(auditor.run("audit", "/nowhere").stderr).To(ContainSubstring("no such file or directory"))
		seen = auditor.runWith(strings.NewReader("no event\n"), "audit", "-")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("has no audit event"))
		Expect(seen.stderr).To(ContainSubstring("1 lines are no audit events"))
	})
})
