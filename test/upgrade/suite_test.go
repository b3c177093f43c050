// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package upgrade tests what becomes of identities and credentials when the operator, its CRD or Kubernetes is replaced by another
// version, or removed: on what the release before this one left in a cluster (see package fixture).
package upgrade

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/upgrade/fixture"
)

var (
	root string
	// current is the path of the operator as it is here.
	current string
)

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Upgrade Suite")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	DeferCleanup(func() { ctrl.SetLogger(logr.Discard()) })
	var err error
	root, err = operator.Root()
	Expect(err).NotTo(HaveOccurred())
	current, err = gexec.Build("github.com/clientidentity/operator/cmd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
})

// world is a control plane that goes on from the fixture.
type world struct {
	context.Context
	release *fixture.Fixture
	cp      *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// holders is the address of the API server that the holders of kubeconfigs are led to.
	holders string
	// ends are called at its end.
	ends []func()
}

// atEnd has something done when it ends, which may be after the spec.
func (w *world) atEnd(do func()) { w.ends = append(w.ends, do) }

// dir returns a new directory of its own.
func (w *world) dir() string {
	GinkgoHelper()
	dir, err := os.MkdirTemp(w.cp.Dir(), "")
	Expect(err).NotTo(HaveOccurred())
	return dir
}

// begin brings the fixture to life, until the end of the specs that it is called for.
func begin(configure ...func(*controlplane.Options)) *world {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(func() { cancel() })
	release, err := fixture.Load(filepath.Join(root, fixture.Previous))
	Expect(err).NotTo(HaveOccurred())
	state, err := release.State()
	Expect(err).NotTo(HaveOccurred())
	options := controlplane.Options{State: state, SigningDuration: fixture.Lifetime}
	for _, c := range configure {
		c(&options)
	}
	cp, err := controlplane.Start(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cp.Stop()).To(Succeed()) })
	admin, err := client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	server, err := url.Parse(cp.URL())
	Expect(err).NotTo(HaveOccurred())
	w := &world{Context: ctx, release: release, cp: cp, admin: admin, holders: server.Host}
	DeferCleanup(func() {
		for _, end := range w.ends {
			end()
		}
	})
	return w
}

// get returns the identity as it is now.
func (w *world) get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(w.admin.Get(w, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// change changes an identity; that the operator wrote its status meanwhile is tried again.
func (w *world) change(name string, change func(*v1alpha1.ClientIdentity)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		identity := w.get(name)
		change(identity)
		return w.admin.Update(w, identity)
	})).To(Succeed())
}

// reissued changes an identity, waits until it is ready with another certificate, and returns it.
func (w *world) reissued(name string, change func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	former := w.get(name).Status.Certificate.Fingerprint
	w.change(name, change)
	var identity *v1alpha1.ClientIdentity
	Eventually(func(g Gomega) {
		identity = w.get(name)
		g.Expect(identity.Status.Certificate.Fingerprint).NotTo(Equal(former))
		g.Expect(identity.Status.State).To(Equal(v1alpha1.ObservedReady))
		g.Expect(identity.Status.ObservedGeneration).To(Equal(identity.Generation))
	}).Should(Succeed())
	return identity
}
