// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package holders tests keys that never leave their holder (privateKey.source: Holder) on a real control plane: who gets a
// certificate and who does not, that nobody but the holder ever has a key, and that kubeconfigs renew themselves whatever happens.
// One control plane and one operator serve all specs; each makes its own identities.
package holders

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/renewal"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/faults"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// auditPolicy records what everybody sent and got: a private key that somebody sent would be there.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  resources: [{group: coordination.k8s.io}]
- level: RequestResponse
`

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount, through transport.
	connection *rest.Config
	transport  *faults.Transport
	running    *operator.Running
	// authorizer is what the API servers ask whether a certificate is denied, and replica where the operator would answer.
	authorizer *operator.Authorizer
	replica    *operator.Replica
	// ahead is how far the operator's clock is ahead.
	ahead = &offset{}
	// plugin is kubectl-clientidentity, for kubectl to find.
	plugin string
	// logFile is what the operator logged, at the highest verbosity.
	logFile string
)

func TestHolders(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Holders Suite")
}

var _ = BeforeSuite(func() {
	var err error
	plugin, err = gexec.Build("github.com/clientidentity/operator/cmd/kubectl-clientidentity")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	logFile = filepath.Join(GinkgoT().TempDir(), "operator.log")
	log, err := os.Create(logFile)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = log.Close() })
	authorizer, err = operator.NewAuthorizer(GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(authorizer.Forwarder.To()).To(Succeed()) })
	ctx, cp, admin = suite.Start(controlplane.Options{
		AuditPolicy: []byte(auditPolicy),
		Authorization: func(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
			if _, err := authorizer.Authorization("v1")(files); err != nil {
				return controlplane.Authorization{}, err
			}
			return operator.NobodyAsked(files) // until denying
		},
	}, log)
	// It runs before the control plane is stopped, and after everything else.
	DeferCleanup(expectNoLeak)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	replica, err = authorizer.NewReplica()
	Expect(err).NotTo(HaveOccurred())
	transport = faults.NewTransport()
	connection = transport.Through(connection)
	startOperator()
	DeferCleanup(func() {
		if running != nil {
			Expect(running.Stop()).To(Succeed())
		}
	})
})

// startOperator runs the operator in this process; a spec that stops it starts it again.
func startOperator() {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		replica.Configure(options)
		options.Clock = ahead
	})
	Expect(err).NotTo(HaveOccurred())
}

// denying has the API servers ask the operator, until the end of the specs. Otherwise they ask nobody, and let revoked certificates make
// requests, as most clusters do.
func denying() {
	GinkgoHelper()
	Expect(replica.Serving(ctx)).To(Succeed())
	Expect(authorizer.Forwarder.To(replica.Address)).To(Succeed())
	Expect(cp.ReplaceAuthorization(ctx, authorizer.Authorization("v1"))).To(Succeed())
	DeferCleanup(func() { Expect(cp.ReplaceAuthorization(ctx, operator.NobodyAsked)).To(Succeed()) })
}

// withoutOperator does something while no operator runs.
func withoutOperator(do func()) {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	running = nil
	DeferCleanup(func() {
		if running == nil { // it failed
			startOperator()
		}
	})
	do()
	startOperator()
}

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string { return fmt.Sprintf("%s-%d", base, nameCounter.Add(1)) }

var nameCounter atomic.Int64

// offset is a clock that is ahead of the real one.
type offset struct{ by atomic.Int64 }

func (o *offset) Now() time.Time                  { return time.Now().Add(time.Duration(o.by.Load())) }
func (o *offset) Since(t time.Time) time.Duration { return o.Now().Sub(t) }

// skewed sets the operator's clock ahead, or further ahead, until the end of the spec.
func skewed(by time.Duration) {
	ahead.by.Add(int64(by))
	DeferCleanup(func() { ahead.by.Store(0) })
}

// later lets so much time pass for the operator that it is asked too often by nobody.
func later() { skewed(renewal.MinimumInterval + time.Second) }
