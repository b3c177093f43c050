// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
)

var _ = Describe("renew", func() {
	It("waits until the new certificate is published", func() {
		before := newIdentity("renewed")
		seen := newPerson("operator").may(before, "renew").run("renew", before.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		after := get(before.Name)
		Expect(after.Status.Certificate.Fingerprint).NotTo(Equal(before.Status.Certificate.Fingerprint))
		Expect(seen.stdout).To(Equal(fmt.Sprintf("%s: renewed: certificate 2 is valid until %s (in 89d)\n",
			before.Name, after.Status.Certificate.NotAfter.UTC().Format(time.RFC3339))))
		Expect(seen.stderr).To(ContainSubstring(before.Name + ": waiting for the new certificate\n"))
	})

	It("changes nothing in a dry run, and says so", func() {
		before := newIdentity("dry")
		seen := newPerson("operator").may(before, "renew").run("renew", before.Name, "--dry-run=server")
		Expect(seen).To(Equal(result{stdout: before.Name + ": a new certificate is asked for (server dry run)\n"}))
		seen = newPerson("operator").may(before, "renew").run("renew", before.Name, "--dry-run=server", "-o", "jsonpath={.metadata.name} {.metadata.annotations}")
		Expect(seen.stdout).To(ContainSubstring(before.Name + ` {"` + v1alpha1.RenewRequestedAtAnnotation + `":"`))
		Expect(get(before.Name).Annotations).NotTo(HaveKey(v1alpha1.RenewRequestedAtAnnotation))
	})

	It("tells who may not, and how that is granted", func() {
		before := newIdentity("refused")
		nobody := newPerson("nobody")
		seen := nobody.run("renew", before.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring(fmt.Sprintf(`Missing permission of user %q: get clientidentities.clientidentity.dev %q`, nobody.name, before.Name)))
		Expect(seen.stderr).To(ContainSubstring("kubectl create clusterrolebinding"))
		nobody.grant("", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clientidentities"}, Verbs: []string{"get"}})
		seen = nobody.run("renew", before.Name)
		Expect(seen.stderr).To(ContainSubstring("patch clientidentities.clientidentity.dev"))
	})

	It("renews several, although one of them cannot be", func() {
		first, gone := newIdentity("several"), newIdentity("gone")
		person := newPerson("operator").may(first, "renew")
		update(gone.Name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateWithdrawn })
		eventually(gone.Name, v1alpha1.ConditionWithdrawn, metav1.ConditionTrue)
		seen := person.run("renew", gone.Name, "missing", first.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(HavePrefix(first.Name + ": renewed: certificate 2"))
		Expect(seen.stderr).To(ContainSubstring("has no access, and nothing is issued for it: spec.state is Withdrawn"))
		Expect(seen.stderr).To(ContainSubstring(`there is no ClientIdentity "missing"`))
	})

	It("gives up in time, and says that it goes on", func() {
		before := newIdentity("alone")
		person := newPerson("operator").may(before, "renew")
		stopOperator()
		seen := person.run("renew", before.Name, "--timeout=1s")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("not done within 1s: waiting for the new certificate. What was asked for stands in the ClientIdentity, and goes on without you"))
		resumeOperator()
		Eventually(func() int64 { return get(before.Name).Status.Certificate.Revision }).Should(BeEquivalentTo(2))
	})
})
