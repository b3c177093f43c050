// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package observability tests what tells of identities beside their status: rules by promtool, and metrics and alerts by a real
// Prometheus that scrapes a running operator.
package observability

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestObservability(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "Observability Suite")
}
