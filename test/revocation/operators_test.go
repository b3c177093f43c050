// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

var _ = Describe("With two operators", Serial, func() {
	It("one that stood still in the midst of a revocation does not undo the next one, which its successor made", func() {
		stopOperator()
		old := startAnother(nil)
		name, namespace := uniqueName("slept"), createNamespace("slept")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		first := leak(name, rights, boundIn(namespace))
		goOn, waiting := old.holding(writesOf(http.MethodPatch, "rolebindings"))
		update(name, revoked)
		Eventually(waiting).Should(BeClosed())
		wake, _ := old.holding(faults.Everything)

		By("its successor completing this one, and another one")
		startOperator()
		eventuallyRevoked(name)
		second := eventuallyAnother(name, first)
		Eventually(has(second, rights...)).Should(ConsistOf(rights))
		aSecondLater()
		update(name, revoked)
		eventuallyRevoked(name)
		third := eventuallyAnother(name, second)
		Expect(has(second, rights...)()).To(BeEmpty())
		changes := followBindings(name)
		Eventually(changes.length).ShouldNot(BeZero())

		By("it going on where it stood")
		wake()
		goOn()
		Consistently(has(second, rights...)).Should(BeEmpty())
		Expect(changes.since(0)).NotTo(ContainElements(naming(second)...))
		Eventually(has(third, rights...)).Should(ConsistOf(rights))
		eventuallyRevoked(name)
	})

	DescribeTable("one that hears of identities late does not undo what the other one did",
		func(end change, complete string) {
			late := startAnother(nil)
			name, namespace := uniqueName("late"), createNamespace("late")
			rights := []holder.Right{holder.List("configmaps", namespace)}
			leaked := leak(name, rights, boundIn(namespace))
			tell, _ := late.holding(watchesOf("clientidentities"))
			changes := followBindings(name)
			Eventually(changes.length).ShouldNot(BeZero())
			seen := changes.length()
			update(name, end)
			Eventually(condition(name, complete)).Should(HavePrefix("True "))
			Eventually(has(leaked, rights...)).Should(BeEmpty())
			Consistently(has(leaked, rights...)).Should(BeEmpty())
			Expect(changes.since(seen)).NotTo(ContainElements(naming(leaked)...))
			tell()
			Eventually(condition(name, complete)).Should(HavePrefix("True "))
			Consistently(has(leaked, rights...)).Should(BeEmpty())
		},
		Entry("a revocation", revoked, v1alpha1.ConditionRevocationComplete),
		Entry("a withdrawal", withdrawn, v1alpha1.ConditionWithdrawn),
	)

	It("one that takes over before it hears of a withdrawal gives nothing back", func() {
		stopOperator()
		elected := func(options *manager.Options) {
			options.LeaderElect, options.LeaderElectionNamespace = true, operator.Namespace
		}
		leader := startAnother(elected)
		name, namespace := uniqueName("heir"), createNamespace("heir")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, boundIn(namespace))
		heir := standBy(elected)
		tell, _ := heir.holding(watchesOf("clientidentities"))
		update(name, withdrawn)
		Eventually(condition(name, v1alpha1.ConditionWithdrawn)).Should(HavePrefix("True "))
		changes := followBindings(name)
		Expect(leader.running.Stop()).To(Succeed())
		leader.running = nil
		Eventually(heir.began, time.Minute).Should(BeClosed())
		Consistently(has(leaked, rights...)).Should(BeEmpty())
		Expect(changes.since(0)).To(BeEmpty())
		Expect(admin.Get(ctx, secretKey(name), &corev1.Secret{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		tell()
		Eventually(condition(name, v1alpha1.ConditionWithdrawn)).Should(HavePrefix("True "))
		update(name, func(identity *v1alpha1.ClientIdentity) { identity.Spec.State = v1alpha1.StateActive })
		Eventually(has(publishedCopy(eventuallyReady(name)), rights...)).Should(ConsistOf(rights))
	})

	It("one that stood still before it wrote the status does not take back that a revocation is not complete", func() {
		stopOperator()
		old := startAnother(nil)
		name, namespace := uniqueName("stale-status"), createNamespace("stale-status")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leak(name, rights, boundIn(namespace))
		end := interfere(name, namespace, faults.Always(faults.Answer{Code: http.StatusForbidden}), onUpdate, onDelete)
		update(name, revoked)
		Eventually(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix("False " + v1alpha1.ReasonBindingNotRevoked))
		goOn, waiting := old.holding(writesOf(http.MethodPatch, "clientidentities"))
		admission.Answer(faults.Always(faults.Answer{}))
		Eventually(waiting).Should(BeClosed())
		wake, _ := old.holding(faults.Everything)

		By("its successor being kept from carrying out another one")
		startOperator()
		eventuallyRevoked(name)
		second := publishedCopy(get(name))
		Eventually(has(second, rights...)).Should(ConsistOf(rights))
		admission.Answer(faults.Always(faults.Answer{Code: http.StatusForbidden}))
		aSecondLater()
		update(name, revoked)
		notYet := "False " + v1alpha1.ReasonBindingNotRevoked
		Eventually(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix(notYet))
		claims := followClaims(name)
		wake()
		goOn()
		Consistently(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix(notYet))
		Expect(claims.since(0)).To(HaveEach(HavePrefix(notYet)))
		end()
		eventuallyRevoked(name)
		Eventually(has(second, rights...)).Should(BeEmpty())
	})

	It("one that stood still before it published does not replace what its successor published", func() {
		stopOperator()
		old := startAnother(nil)
		name := uniqueName("stale-secret")
		goOn, waiting := old.holding(writesOf(http.MethodPost, "secrets"))
		create(newIdentity(name))
		Eventually(waiting).Should(BeClosed())
		wake, _ := old.holding(faults.Everything)
		startOperator()
		eventuallyReady(name)
		current := publishedCopy(get(name))
		wake()
		goOn()
		Consistently(func() string { return publishedCopy(get(name)).Fingerprint }).Should(Equal(current.Fingerprint))
		eventuallyReady(name)
	})

	// Each takes the requests of the other one for strays, so that they may take long to issue something.
	It("that both work, by mistake, a revocation is complete when the status says so, and all is well with one again", func() {
		namespace := createNamespace("mistake")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := map[string]*holder.Copy{}
		for range 8 {
			name := uniqueName("mistake")
			leaked[name] = leak(name, rights, boundIn(namespace), readable)
		}
		other := startAnother(nil)
		for name := range leaked {
			update(name, revoked)
		}
		for name, c := range leaked {
			Eventually(condition(name, v1alpha1.ConditionRevocationComplete)).Should(HavePrefix("True "), name)
			Eventually(has(c, rights...)).Should(BeEmpty())
			cannotRead(c, name)
		}
		Consistently(func(g Gomega) {
			for _, c := range leaked {
				g.Expect(has(c, rights...)()).To(BeEmpty())
			}
		}).Should(Succeed())
		other.end()
		for name, c := range leaked {
			update(name, askedToRenew)
			current := eventuallyAnother(name, c)
			Eventually(has(current, rights...)).Should(ConsistOf(rights))
			Expect(has(c, rights...)()).To(BeEmpty())
		}
	})
})
