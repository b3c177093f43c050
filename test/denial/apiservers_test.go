// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/internal/authorizationconfig"
	"github.com/clientidentity/operator/test/controlplane"
)

const (
	evaluations = "apiserver_authorization_webhook_evaluations_total"
	failOpen    = "apiserver_authorization_webhook_evaluations_fail_open_total"
	durations   = "apiserver_authorization_webhook_duration_seconds_sum"
	exclusions  = "apiserver_authorization_match_condition_exclusions_total"
)

// metric returns what a metric of an API server says of the operator's webhook.
func metric(c controlplane.Component, name string, labels ...string) float64 {
	GinkgoHelper()
	value, err := cp.Metric(ctx, c, name, append(labels, `name="`+authorizationconfig.Authorizer+`"`)...)
	Expect(err).NotTo(HaveOccurred())
	return value
}

var _ = Describe("The API servers", Serial, func() {
	It("deny, each of two, and in both versions of SubjectAccessReview", func() {
		_, err := cp.AddAPIServer(ctx)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(cp.StopComponent(controlplane.SecondAPIServer)).To(Succeed()) })
		for _, version := range []string{"v1beta1", "v1"} {
			Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization(version))).To(Succeed())
			name := uniqueName("servers")
			leaked := leak(name, inGroup("developers"))
			Eventually(refused(cp.ThroughSecond(leaked.Connection()))).Should(BeEmpty())
			update(name, inNoGroup)
			for _, config := range []*rest.Config{leaked.Connection(), cp.ThroughSecond(leaked.Connection())} {
				Eventually(allowed(config)).Should(BeEmpty(), version)
				Expect(whoami(config)).To(MatchError(ContainSubstring("ClientIdentity %q is not in group", name)))
			}
			current := another(name, leaked)
			Expect(refused(cp.ThroughSecond(current.Connection()))()).To(BeEmpty())
			for who, config := range bystanders {
				Expect(refused(cp.ThroughSecond(config))()).To(BeEmpty(), who)
			}
		}
		Expect(metric(controlplane.SecondAPIServer, failOpen)).To(BeZero())
	})

	It("ask only about certificates of people, and never about administrators", func() {
		users := maps.Clone(bystanders)
		for who, user := range map[string][]string{
			"a node": {"system:node:a", "system:nodes"}, "the controller manager": {"system:kube-controller-manager"}, "the scheduler": {"system:kube-scheduler"},
		} {
			config, err := cp.ConfigFor(user[0], user[1:]...)
			Expect(err).NotTo(HaveOccurred())
			users[who] = config
		}
		asks := func(who string) float64 {
			before := metric(controlplane.APIServer, evaluations)
			for range 10 {
				Expect(whoami(users[who])).To(Succeed())
			}
			return metric(controlplane.APIServer, evaluations) - before
		}
		// The operator proves its credentials now and then, which asks, too.
		for _, who := range []string{"a service account", "an administrator", "a node", "the controller manager", "the scheduler"} {
			Eventually(asks).WithArguments(who).Should(BeZero(), who)
		}
		for _, who := range []string{"an identity bound to its username", "a user of another certificate"} {
			Expect(asks(who)).To(BeNumerically(">=", 10), who)
		}
		Expect(metric(controlplane.APIServer, exclusions)).To(BeNumerically(">", 0))
	})
})
