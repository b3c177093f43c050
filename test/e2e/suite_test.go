// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests what changes the control plane itself under the operator: the rotation of the client CA. Each spec has a
// control plane of its own.
package e2e

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func TestE2E(t *testing.T) {
	// Shown where a spec fails.
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	RegisterFailHandler(Fail)
	// Client-go's watches come back up to a minute after an API server that was away for a while: they back off to 30
	// seconds, and double that at random.
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "End-to-end Suite")
}
