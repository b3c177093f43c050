// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("list", func() {
	It("shows what needs attention, in each format", func() {
		long := newIdentity("long")
		short := newIdentity("short", func(identity *v1alpha1.ClientIdentity) {
			identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
		})
		broken := unready("broken", func(identity *v1alpha1.ClientIdentity) { identity.Spec.Secret.Namespace = "nowhere" })
		Eventually(func() v1alpha1.ObservedState { return get(broken.Name).Status.State }).Should(Equal(v1alpha1.ObservedStalled))
		person := newPerson("reader").may(long, "list")

		seen := person.run("list")
		Expect(seen.code).To(BeZero(), seen.stderr)
		Expect(seen.stdout).To(HavePrefix("NAME "))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^%s +%s +Ready +Operator +in 8\d+d +in 5\d+d +\d+s$`, long.Name, long.Spec.Username))
		Expect(seen.stdout).To(MatchRegexp(`(?m)^%s .* Stalled `, broken.Name))

		Expect(names(person.run("list", "--expiring-within", "1d", "-o", "name"))).To(ContainElement(short.Name))
		Expect(names(person.run("list", "--expiring-within", "1d", "-o", "name"))).NotTo(ContainElement(long.Name))
		Expect(names(person.run("list", "--not-ready", "-o", "name"))).To(And(ContainElement(broken.Name), Not(ContainElement(long.Name))))
		Expect(names(person.run("list", "--issuer", long.Status.Certificate.Issuer, "-o", "name"))).To(And(ContainElement(long.Name), Not(ContainElement(broken.Name))))
		Expect(person.run("list", "--not-ready", "-o", "wide").stdout).To(ContainSubstring(v1alpha1.ReasonSecretNamespaceNotAllowed))

		var printed v1alpha1.ClientIdentityList
		Expect(json.Unmarshal([]byte(person.run("list", "--issuer", "CN=", "-o", "json").stdout), &printed)).To(Succeed())
		Expect(printed.Kind).To(Equal("ClientIdentityList"))
		Expect(printed.Items).To(ContainElement(HaveField("Kind", "ClientIdentity")))
	})

	It("says that nothing was found beside the output, and refuses what it does not know", func() {
		identity := newIdentity("there")
		person := newPerson("reader").may(identity, "list")
		seen := person.run("list", "--issuer", "CN=nobody")
		Expect(seen.code).To(BeZero())
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(MatchRegexp(`^None of the \d+ identities`))
		Expect(person.run("list", "--expiring-within", "soon").stderr).To(ContainSubstring("30d, 1d12h or 90m"))
		Expect(person.run("list", identity.Name).code).To(Equal(1))
		Expect(person.run("list", "-o", "xml").stderr).To(ContainSubstring("xml"))
	})

	It("completes the names of identities, and says nothing to those who may not list them", func() {
		identity := newIdentity("complete")
		person := newPerson("reader").may(identity, "list")
		Expect(person.run("__complete", "status", "complete").stdout).To(ContainSubstring(identity.Name + "\t" + identity.Spec.Username + "\n"))
		Expect(person.run("__complete", "status", identity.Name, "").stdout).NotTo(ContainSubstring(identity.Name))
		seen := newPerson("nobody").run("__complete", "status", "")
		Expect(seen.code).To(BeZero())
		Expect(seen.stdout).To(HavePrefix(":4"))
	})
})

// names returns the names that -o name printed.
func names(seen result) []string {
	GinkgoHelper()
	Expect(seen.code).To(BeZero(), seen.stderr)
	var all []string
	for line := range strings.Lines(seen.stdout) {
		all = append(all, strings.TrimPrefix(strings.TrimSpace(line), "clientidentity.clientidentity.dev/"))
	}
	return all
}
