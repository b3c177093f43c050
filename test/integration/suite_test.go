// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package integration tests the operator on a real control plane, as its shipped ServiceAccount. One control plane and one
// operator serve all specs of this package: each spec makes its own identities, under names of its own.
package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// slowLook is how often the operator looks whether a conflict is gone that no watch tells of.
const slowLook = 2 * time.Second

// apiServerLag is how long kubeconfigs wait for API servers that may be behind: there is only one.
const apiServerLag = time.Second

// auditPolicy records who asked for what, without any content: request counts are read from it.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
`

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	running    *operator.Running
	// logFile is what the operator logged, at the highest verbosity.
	logFile string
)

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Integration Suite")
}

var _ = BeforeSuite(func() {
	logFile = filepath.Join(GinkgoT().TempDir(), "operator.log")
	log, err := os.Create(logFile)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = log.Close() })
	ctx, cp, admin = suite.Start(controlplane.Options{AuditPolicy: []byte(auditPolicy)}, log)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })

	By("waiting until the garbage collector knows our CRD")
	Expect(cp.WaitForGarbageCollection(ctx, admin, func(name string) client.Object {
		return newIdentity(name)
	})).To(Succeed())
})

// startOperator runs the operator in this process; a spec that stops it starts it again.
func startOperator(configure ...func(*manager.Options)) {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		options.SlowLook, options.APIServerLag = slowLook, apiServerLag
		options.AllowedSigners = append(options.AllowedSigners, nobodySigns, unserved)
		for _, c := range configure {
			c(options)
		}
	})
	Expect(err).NotTo(HaveOccurred())
}

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string {
	nameCounter++
	return fmt.Sprintf("%s-%d", base, nameCounter)
}

var nameCounter int

// newIdentity returns an identity for the user of the same name, without groups and bindings.
func newIdentity(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	for _, change := range changes {
		change(identity)
	}
	return identity
}
