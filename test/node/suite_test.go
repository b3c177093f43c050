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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/node/cluster"
	"github.com/clientidentity/operator/test/node/steps"
)

// installerEnv names what make build-installer writes.
const installerEnv = "NODE_INSTALLER"

var (
	ctx   context.Context
	node  *steps.Node
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
	node = steps.Start(controlplane.Options{})
	ctx, admin = node.Context, node.Admin
	steps.FileIn(installerEnv)
})

var _ = JustAfterEach(func() { node.ReportFailure() })
