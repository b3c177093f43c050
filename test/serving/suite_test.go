// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package serving tests on a real API server, with replicas in processes of their own, that the webhook is always answered: from a fresh
// start on, whatever becomes of its certificate, and while replicas come and go.
package serving

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	// service is what the API server calls.
	service *operator.Forwarder
	webhook *operator.Webhook
	// binary is the operator.
	binary string
)

func TestServing(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Serving Suite")
}

var _ = BeforeSuite(func() {
	ctx, cp, admin = suite.Start(controlplane.Options{}, GinkgoWriter)
	var err error
	binary, err = gexec.Build("github.com/clientidentity/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	service, err = operator.NewForwarder()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return service.To() })
	webhook, err = operator.UseWebhookBehind(ctx, cp, service.Address())
	Expect(err).NotTo(HaveOccurred())
})
