// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package node tests what users run: the operator's image in pods on a real node, installed from what is shipped.
package node

import (
	"context"
	"os"
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
)

// What make e2e-node builds is named by environment variables.
const (
	imageEnv     = "NODE_IMAGE"     // the OCI archive of the operator's image
	installerEnv = "NODE_INSTALLER" // what make build-installer writes
)

var (
	ctx   context.Context
	node  *cluster.Cluster
	admin client.Client
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

func TestNode(t *testing.T) {
	RegisterFailHandler(Fail)
	// Pods take seconds, each of several minutes where something else keeps the machine busy.
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Node Suite")
}

var _ = BeforeSuite(func() {
	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))

	var err error
	node, err = cluster.Start(ctx, controlplane.Options{Progress: func(format string, args ...any) {
		GinkgoWriter.Printf(format+"\n", args...)
	}})
	Expect(err).NotTo(HaveOccurred())
	admin, err = client.New(node.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	// The one manual step of an installation here, where there is no registry.
	for _, name := range []string{imageEnv, installerEnv} {
		Expect(os.Getenv(name)).To(BeAnExistingFile(), "%s names no file: run make e2e-node", name)
	}
	Expect(node.ImportImage(ctx, os.Getenv(imageEnv))).To(Succeed())
})

// What the node saw is shown where a spec failed: it is gone with the namespaces. Secrets are never asked for.
var _ = JustAfterEach(func() {
	if node != nil && CurrentSpecReport().Failed() {
		AddReportEntry("the node", node.Report(context.WithoutCancel(ctx)))
	}
})
