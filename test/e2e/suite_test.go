// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests what changes the control plane itself under the operator: the rotation of the client CA. Each spec has a
// control plane of its own.
package e2e

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestE2E(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "End-to-end Suite")
}
