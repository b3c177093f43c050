// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"context"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("A replica that stands by and hears late of identities", Serial, func() {
	var (
		known       string
		copyOfKnown *holder.Copy
		tell        func()
	)
	BeforeEach(func() {
		known = uniqueName("known")
		copyOfKnown = leak(known)
		stopOperator()
		startProcess(elected...)
		link := faults.NewTransport()
		late, err := authorizer.NewReplica()
		Expect(err).NotTo(HaveOccurred())
		life, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = operator.Start(life, link.Through(connection), func(options *manager.Options) { // it is never elected
				late.Configure(options)
				options.LeaderElect, options.LeaderElectionNamespace = true, operator.Namespace
			})
		}()
		DeferCleanup(func() { cancel(); <-ended })
		Expect(late.Serving(ctx)).To(Succeed())
		ask(late.Address)
		everybodyElseGoesOn()
		tell, _ = link.Hold(func(request *http.Request) bool {
			return request.URL.Query().Get("watch") == "true" && strings.HasSuffix(request.URL.Path, "/clientidentities")
		})
		DeferCleanup(tell)
	})

	It("keeps a new identity waiting until it hears of it, and nobody whom it knows", func() {
		name := uniqueName("unheard")
		identity := newIdentity(name, bound(v1alpha1.BindToCredential))
		create(identity)
		condition := func() string {
			c := meta.FindStatusCondition(get(name).Status.Conditions, v1alpha1.ConditionReady)
			if c == nil {
				return ""
			}
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
		Consistently(condition, "3s").ShouldNot(HavePrefix("True"))
		AddReportEntry("is told", condition())
		everybodyElseGoesOn()
		tell()
		Eventually(ready(name)).Should(BeTrue())
		Expect(whoami(published(name).Connection())).To(Succeed())
	})

	It("denies what was revoked as soon as it hears of it", func() {
		update(known, withdrawn)
		Consistently(refused(copyOfKnown.Connection()), "1s").Should(BeEmpty())
		tell()
		canDoNothing(copyOfKnown, "has no access")
	})
})
