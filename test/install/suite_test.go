// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package install tests the ways to install the operator: that kustomize, the chart and the installer say the same, what each value of
// the chart does, and that a real API server takes each of them, an upgrade and an uninstall.
package install

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/helm"
	"github.com/clientidentity/operator/test/operator"
)

var (
	ctx   context.Context
	cp    *controlplane.ControlPlane
	admin client.Client
	cli   helm.CLI
)

func TestInstall(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Install Suite")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	var err error
	cp, err = controlplane.Start(ctx, controlplane.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
	scheme := manager.Scheme()
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	admin, err = client.New(cp.Config(), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	cli = helm.CLI{Kubeconfig: cp.Kubeconfig(), Home: GinkgoT().TempDir()}
})

// root returns the root directory of the repository.
func root() string {
	GinkgoHelper()
	dir, err := operator.Root()
	Expect(err).NotTo(HaveOccurred())
	return dir
}
