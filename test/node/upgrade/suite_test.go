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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/node/cluster"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

// imageEnv names the OCI archive of the operator's image.
const imageEnv = "NODE_IMAGE"

var (
	ctx     context.Context
	node    *cluster.Cluster
	admin   client.Client
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
	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))

	root, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	release, err = fixture.Load(filepath.Join(root, fixture.Previous))
	Expect(err).NotTo(HaveOccurred())
	former, err := release.Manager(ctx, root)
	if errors.Is(err, fixture.ErrNoSource) && os.Getenv("UPGRADE_REQUIRED") != "yes" {
		Skip("NOT TESTED: the operator of " + release.Release + " cannot be built: " + err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	state, err := release.State()
	Expect(err).NotTo(HaveOccurred())
	node, err = cluster.Start(ctx, controlplane.Options{State: state, SigningDuration: fixture.Lifetime})
	Expect(err).NotTo(HaveOccurred())
	admin, err = client.New(node.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	at, err := url.Parse(node.URL())
	Expect(err).NotTo(HaveOccurred())
	server = at.Host

	Expect(node.ImportProgram(ctx, "ghcr.io/clientidentity/operator:"+release.Release, former)).To(Succeed())
	Expect(os.Getenv(imageEnv)).To(BeAnExistingFile(), "%s names no file: run make e2e-node", imageEnv)
	Expect(node.ImportImage(ctx, os.Getenv(imageEnv))).To(Succeed())
})

// What the node saw is shown where a spec failed: it is gone with the namespaces. Secrets are never asked for.
var _ = JustAfterEach(func() {
	if node != nil && CurrentSpecReport().Failed() {
		AddReportEntry("the node", node.Report(context.WithoutCancel(ctx)))
	}
})
