// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package revocation tests on a real control plane that access ends when the status says so, whoever stands in the way: with
// real copies of real kubeconfigs, against writes that are refused, slow or lost. One control plane serves all specs; each
// makes its own identities.
package revocation

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// apiServerLag is how long the next kubeconfig waits where a holder may read it: less than in a cluster.
const apiServerLag = 3 * time.Second

// slowLook is how often the operator looks whether something is gone that no watch tells of.
const slowLook = 2 * time.Second

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	running    *operator.Running
	// admission is asked where a spec installs it.
	admission *faults.Admission
	// ahead is how far the operator's clock is ahead.
	ahead = &offset{}
)

func TestRevocation(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	RunSpecs(t, "Revocation Suite")
}

var _ = BeforeSuite(func() {
	ctx, cp, admin = suite.Start(controlplane.Options{Controllers: []string{"resourcequota-controller"}}, GinkgoWriter)
	var err error
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() {
		if running != nil {
			Expect(running.Stop()).To(Succeed())
		}
	})
})

var _ = BeforeEach(func() {
	admission = faults.NewAdmission()
	DeferCleanup(admission.Close)
})

// startOperator runs the operator in this process; a spec that stops it starts it again.
func startOperator() {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		options.SlowLook, options.APIServerLag = slowLook, apiServerLag
		options.Clock = ahead
	})
	Expect(err).NotTo(HaveOccurred())
}

// withoutOperator does something while no operator runs.
func withoutOperator(do func()) {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	running = nil
	DeferCleanup(func() {
		if running == nil { // it failed
			startOperator()
		}
	})
	do()
	startOperator()
}

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string {
	nameCounter++
	return fmt.Sprintf("%s-%d", base, nameCounter)
}

var nameCounter int
