// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgrade tests what becomes of identities and credentials when the operator, its CRD or Kubernetes is replaced by another
// version, or removed: on what the release before this one left in a cluster (see package fixture).
package upgrade

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

var (
	root string
	// current is the path of the operator as it is here.
	current string
)

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Upgrade Suite")
}

var _ = BeforeSuite(func() {
	var err error
	root, err = operator.Root()
	Expect(err).NotTo(HaveOccurred())
	current, err = gexec.Build("github.com/clientidentity/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
})

// world is a control plane that goes on from the fixture.
type world struct {
	context.Context
	release *fixture.Fixture
	cp      *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
}

// begin brings the fixture to life, until the end of the specs that it is called for.
func begin() *world {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	release, err := fixture.Load(filepath.Join(root, fixture.Previous))
	Expect(err).NotTo(HaveOccurred())
	state, err := release.State()
	Expect(err).NotTo(HaveOccurred())
	cp, err := controlplane.Start(ctx, controlplane.Options{State: state, SigningDuration: fixture.Lifetime})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
	admin, err := client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return &world{Context: ctx, release: release, cp: cp, admin: admin}
}
