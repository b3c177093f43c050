// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package suite is what a suite begins with: a control plane with the operator installed.
package suite

import (
	"context"
	"io"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// Start starts a control plane, installs the operator in it without running it, and lets what runs in this process log to
// the writer. It returns a context that ends with the suite, and an administrator's client without a cache. To be called in
// BeforeSuite: everything ends with the suite.
func Start(options controlplane.Options, log io.Writer) (context.Context, *controlplane.ControlPlane, client.Client) {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	ctrl.SetLogger(zap.New(zap.WriteTo(log), zap.UseDevMode(true)))
	DeferCleanup(func() { ctrl.SetLogger(logr.Discard()) })

	cp, err := controlplane.Start(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
	Expect(operator.Install(ctx, cp)).To(Succeed())
	admin, err := client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return ctx, cp, admin
}
