// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package denial tests on real API servers that ask the operator before they ask RBAC: a copy of a kubeconfig that is revoked can
// do nothing at all, and nobody else notices, whatever becomes of the operator.
package denial

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	// authorizer is what the API servers ask.
	authorizer *operator.Authorizer
	// replica is where the operator serves that runs in this process.
	replica *operator.Replica
	running *operator.Running
	// binary is the operator for processes of its own.
	binary string
)

func TestDenial(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Denial Suite")
}

var _ = BeforeSuite(func() {
	var err error
	binary, err = gexec.Build("github.com/clientidentity/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	authorizer, err = operator.NewAuthorizer(GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(authorizer.Forwarder.To()).To(Succeed()) })
	ctx, cp, admin = suite.Start(controlplane.Options{Authorization: authorizer.Authorization("v1")}, GinkgoWriter)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	replica, err = authorizer.NewReplica()
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() {
		if running != nil {
			Expect(running.Stop()).To(Succeed())
		}
	})
	introduceBystanders()
})

// startOperator runs the operator in this process and has it asked; a spec that stops it starts it again.
func startOperator() {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		replica.Configure(options)
		options.SlowLook = 2 * time.Second
		options.Authorization.Interval = 2 * time.Second
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(replica.Serving(ctx)).To(Succeed())
	ask(replica.Address)
}

// stopOperator stops it until the end of the spec at the latest.
func stopOperator() {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	running = nil
	DeferCleanup(func() {
		if running == nil {
			startOperator()
		}
	})
}

// ask has the API servers ask whoever listens at these addresses.
func ask(addresses ...string) {
	GinkgoHelper()
	Expect(authorizer.Forwarder.To(addresses...)).To(Succeed())
}

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string {
	nameCounter++
	return fmt.Sprintf("%s-%d", base, nameCounter)
}

var nameCounter int
