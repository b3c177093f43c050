// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/holder"
)

var _ = Describe("With two API servers on one etcd", Serial, Ordered, func() {
	var second *rest.Config
	BeforeAll(func() {
		var err error
		second, err = cp.AddAPIServer(ctx)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(cp.StopComponent(controlplane.SecondAPIServer)).To(Succeed()) })
	})

	// there returns a copy that is used at the second API server.
	there := func(c *holder.Copy) *holder.Copy {
		GinkgoHelper()
		elsewhere, err := c.Through(second.Host)
		Expect(err).NotTo(HaveOccurred())
		return elsewhere
	}

	It("a revocation that is made at one is complete at both", func() {
		name, namespace := uniqueName("both"), createNamespace("both")
		rights := []holder.Right{holder.List("configmaps", namespace)}
		leaked := leak(name, rights, readable, boundIn(namespace))
		elsewhere := there(leaked)
		Eventually(has(elsewhere, rights...)).Should(ConsistOf(rights))
		spy := sendSpy(elsewhere, name)
		administrator, err := client.New(second, client.Options{Scheme: manager.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		identity := get(name)
		base := identity.DeepCopy()
		revoked(identity)
		Expect(administrator.Patch(ctx, identity, client.MergeFrom(base))).To(Succeed())
		eventuallyRevoked(name)
		for _, c := range []*holder.Copy{leaked, elsewhere} {
			Eventually(has(c, rights...)).Should(BeEmpty())
			cannotRead(c, name)
		}
		Eventually(has(there(eventuallyAnother(name, leaked)), rights...)).Should(ConsistOf(rights))
		spy.expectNothing()
	})

	It("one that stood still does not let a revoked copy read the next kubeconfig", func() {
		name, namespace := uniqueName("still"), createNamespace("still")
		leaked := leak(name, []holder.Right{holder.List("configmaps", namespace)}, readable, boundIn(namespace))
		elsewhere := there(leaked)
		Eventually(reads(elsewhere, name)).Should(Equal(leaked.Fingerprint))
		Expect(cp.Pause(controlplane.SecondAPIServer)).To(Succeed())
		resume := sync.OnceFunc(func() { Expect(cp.Resume(controlplane.SecondAPIServer)).To(Succeed()) })
		DeferCleanup(resume)

		By("many requests of the copy that wait there")
		const requests = 50
		loot := make(chan string, requests)
		for range requests {
			go func() {
				defer GinkgoRecover()
				found, err := elsewhere.ReadSecret(ctx, secretKey(name))
				if err != nil {
					loot <- ""
					return
				}
				loot <- found.Fingerprint
			}()
		}
		update(name, revoked)
		cannotRead(leaked, name)
		time.Sleep(apiServerLag / 3)
		resume()
		for range requests {
			var found string
			Eventually(loot).Should(Receive(&found))
			Expect(found).To(BeElementOf("", leaked.Fingerprint), "the revoked copy has read another kubeconfig than its own")
		}
		eventuallyRevoked(name)
		Expect(eventuallyAnother(name, leaked).Fingerprint).NotTo(Equal(leaked.Fingerprint))
	})
})
