// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/usage"
	"github.com/clientidentity/operator/test/operator"
)

const (
	dormantAfter = 15 * time.Second
	silence      = 10 * time.Second
)

var _ = Describe("Identities that nobody uses", Serial, Ordered, func() {
	watching := func(options *manager.Options) {
		options.Audit.DormantAfter = dormantAfter
		options.Audit.Interval = time.Second
		options.Audit.Silence = silence
		options.IssuerInterval = time.Second // a proof of each CA, which comes back as an event
	}
	restart := func(configure ...func(*manager.Options)) {
		GinkgoHelper()
		Expect(running.Stop()).To(Succeed())
		startOperator(configure...)
	}
	dormant := func(name string) bool {
		return meta.IsStatusConditionTrue(get(name).Status.Conditions, v1alpha1.ConditionDormant)
	}
	ready := func(name string) bool {
		return meta.IsStatusConditionTrue(get(name).Status.Conditions, v1alpha1.ConditionReady)
	}
	withdraws := func(identity *v1alpha1.ClientIdentity) { identity.Spec.WhenDormant = v1alpha1.WithdrawDormant }

	BeforeAll(func() {
		restart(watching)
		DeferCleanup(func() { restart() })
	})

	It("are told from those that somebody does, which keep their access", func() {
		unused, used := newIdentity("unused"), newIdentity("in-use", withdraws)
		stop := useAllTheTime(holder(used))
		defer stop()
		Eventually(dormant).WithArguments(unused.Name).Should(BeTrue())
		status := get(unused.Name).Status
		Expect(ready(unused.Name)).To(BeTrue(), "it keeps its access")
		Expect(status.DormantSince.Time).To(BeTemporally("==", status.PublishedSince.Time))
		Expect(time.Since(status.DormantSince.Time)).To(BeNumerically(">=", dormantAfter))
		lease := &coordinationv1.Lease{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: usage.LeaseName}, lease)).To(Succeed())
		Expect(lease.Spec.RenewTime.Sub(lease.Spec.AcquireTime.Time)).To(BeNumerically(">=", dormantAfter), "it was watched for as long")

		Expect(dormant(used.Name)).To(BeFalse())
		Expect(ready(used.Name)).To(BeTrue())

		By("using it after all")
		use(holder(get(unused.Name)), "at-last/1")
		Eventually(dormant).WithArguments(unused.Name).Should(BeFalse())
		Expect(get(unused.Name).Status.DormantSince).To(BeNil())
	})

	It("lose their access where that is asked for, until somebody asks for it again", func() {
		identity := newIdentity("forgotten", withdraws)
		copied := holder(identity)
		Eventually(func() string { return withdrawnFor(identity.Name) }).Should(Equal(v1alpha1.ReasonDormant))
		gone := get(identity.Name)
		Expect(gone.Status.SecretRef).To(BeNil())
		Expect(gone.Spec).To(Equal(identity.Spec), "GitOps has nothing to undo")

		By("trying a copy, which is not enough")
		use(copied, "copy/1")
		Eventually(func() *v1alpha1.LastUsed { return get(identity.Name).Status.LastUsed }).ShouldNot(BeNil())
		Consistently(func() string { return withdrawnFor(identity.Name) }, "3s").Should(Equal(v1alpha1.ReasonDormant))

		By("restarting without the flag, which changes nothing")
		restart()
		Consistently(func() string { return withdrawnFor(identity.Name) }, "3s").Should(Equal(v1alpha1.ReasonDormant))
		restart(watching)

		By("asking for it")
		Expect(admin.Patch(ctx, gone, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"whenDormant":"Report"}}`)))).To(Succeed())
		Eventually(ready).WithArguments(identity.Name).Should(BeTrue())
		Expect(get(identity.Name).Status.DormantSince).To(BeNil())
	})

	It("are none while no audit events come", func() {
		restart(watching, func(options *manager.Options) { options.Audit.ClientName = "somebody-else" })
		identity := newIdentity("unwatched", withdraws)
		Consistently(func(g Gomega) {
			g.Expect(dormant(identity.Name)).To(BeFalse())
			g.Expect(ready(identity.Name)).To(BeTrue())
		}, 2*dormantAfter, "500ms").Should(Succeed())

		By("being told again, which begins anew")
		restart(watching)
		began := time.Now()
		Eventually(func() string { return withdrawnFor(identity.Name) }).Should(Equal(v1alpha1.ReasonDormant))
		Expect(time.Since(began)).To(BeNumerically(">=", dormantAfter/2), "but for events that were on their way")
	})
})

// withdrawnFor returns why an identity has no access; "" where it has.
func withdrawnFor(name string) string {
	if c := meta.FindStatusCondition(get(name).Status.Conditions, v1alpha1.ConditionWithdrawn); c != nil {
		return c.Reason
	}
	return ""
}

// useAllTheTime calls the API server twice a second, until the function that it returns is called.
func useAllTheTime(config *rest.Config) func() {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(done)
		for {
			use(config, "all-the-time/1")
			select {
			case <-stop:
				return
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}
