// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgrade upgrades what the release before left in a cluster, in pods on a real node: its own pods run when the new ones come.
package upgrade

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/node/cluster"
	"github.com/clientidentity/operator/test/node/steps"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

var (
	node    *steps.Node
	release *fixture.Fixture
	// server is the address of the API server.
	server string
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Upgrade on a Node Suite")
}

var _ = BeforeSuite(func() {
	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	release, err = fixture.Load(filepath.Join(root, fixture.Previous))
	Expect(err).NotTo(HaveOccurred())
	former, err := release.Manager(context.Background(), root)
	if errors.Is(err, fixture.ErrNoSource) && os.Getenv("UPGRADE_REQUIRED") != "yes" {
		Skip("NOT TESTED: the operator of " + release.Release + " cannot be built: " + err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	state, err := release.State()
	Expect(err).NotTo(HaveOccurred())

	node = steps.Start(controlplane.Options{State: state, SigningDuration: fixture.Lifetime}, func(ctx context.Context, c *cluster.Cluster) error {
		return c.ImportProgram(ctx, "ghcr.io/clientidentity/operator:"+release.Release, former)
	})
	at, err := url.Parse(node.URL())
	Expect(err).NotTo(HaveOccurred())
	server = at.Host
})

var _ = JustAfterEach(func() { node.ReportFailure() })
