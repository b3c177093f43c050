// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package fairness tests that what takes long for some identities holds up no other one: each spec measures how long a fresh identity
// takes, before and during something else, on the same machine in the same minute. The operator has few workers here, so that a few
// identities would take all of them.
package fairness

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

const (
	// workers is how many identities the operator looks at, at a time.
	workers = 4
	// unserved is a signer that nobody serves.
	unserved = "example.com/nobody"
)

var (
	ctx   context.Context
	admin client.WithWatch
	// network is between the operator and the API server.
	network = faults.NewTransport()
)

func TestFairness(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Fairness Suite")
}

var _ = BeforeSuite(func() {
	var cp *controlplane.ControlPlane
	ctx, cp, _ = suite.Start(controlplane.Options{}, GinkgoWriter)
	config := *cp.Config()
	config.QPS = -1
	var err error
	admin, err = client.NewWithWatch(&config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	connection, err := operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	running, err := operator.Start(ctx, network.Through(connection), func(options *manager.Options) {
		options.ConcurrentReconciles = workers
		options.AllowedSigners = append(options.AllowedSigners, unserved)
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
	alone(10) // connections are made, and caches are warm
})

var nameCounter int

// newIdentity returns an identity of a name that no other has.
func newIdentity(base string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	nameCounter++
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = fmt.Sprintf("%s-%d", base, nameCounter)
	identity.Spec.Username = identity.Name
	for _, change := range changes {
		change(identity)
	}
	return identity
}

// create creates so many identities, and deletes them after the spec.
func create(count int, base string, changes ...func(*v1alpha1.ClientIdentity)) []*v1alpha1.ClientIdentity {
	GinkgoHelper()
	var all []*v1alpha1.ClientIdentity
	for range count {
		identity := newIdentity(base, changes...)
		Expect(admin.Create(ctx, identity)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, identity))).To(Succeed()) })
		all = append(all, identity)
	}
	return all
}

// get returns an identity as it is now.
func get(identity *v1alpha1.ClientIdentity) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	now := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(identity), now)).To(Succeed())
	return now
}

func ready(identity *v1alpha1.ClientIdentity) bool {
	return meta.IsStatusConditionTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
}

// alone makes so many plain identities, one after the other, and returns the median of the times until each was ready.
func alone(count int) time.Duration {
	GinkgoHelper()
	var took []time.Duration
	for range count {
		identity := newIdentity("alone")
		watching, stop := context.WithTimeout(ctx, time.Minute)
		events, err := admin.Watch(watching, &v1alpha1.ClientIdentityList{}, client.MatchingFields{"metadata.name": identity.Name})
		Expect(err).NotTo(HaveOccurred())
		start, done := time.Now(), false
		Expect(admin.Create(ctx, identity)).To(Succeed())
		for event := range events.ResultChan() { // ends where the watch does
			if seen, ok := event.Object.(*v1alpha1.ClientIdentity); ok && ready(seen) {
				done = true
				break
			}
		}
		Expect(done).To(BeTrue(), "%s is not ready within a minute", identity.Name)
		took = append(took, time.Since(start))
		events.Stop()
		stop()
		Expect(admin.Delete(ctx, identity)).To(Succeed())
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// expectFair checks that a fresh identity takes no more than so many times as long as it took before.
func expectFair(before time.Duration, times int, doing string) {
	GinkgoHelper()
	during := alone(sample)
	AddReportEntry(fmt.Sprintf("%s: %.1f times as long as before", doing, during.Seconds()/before.Seconds()))
	Expect(during).To(BeNumerically("<", time.Duration(times)*before), "until a fresh identity is ready, while %s", doing)
}

// sample is how many identities a median is taken of.
const sample = 15
