// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package gitops tests on a real control plane what Argo CD, Flux and Cluster API see of identities and of their Secrets. It
// also takes the objects that the scripts of config/argocd are tested with: make argocd-testdata.
package gitops

import (
	"context"
	"flag"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// unserved is a signer that nobody serves.
const unserved = "example.com/unserved"

// update writes the objects that were taken instead of comparing them.
var update = flag.Bool("update", false, "write the testdata of config/argocd instead of comparing it")

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	webhook    *operator.Webhook
	running    *operator.Running
)

func TestGitOps(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "GitOps Suite")
}

var _ = BeforeSuite(func() {
	ctx, cp, admin = suite.Start(controlplane.Options{}, GinkgoWriter)
	var err error
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "work"}})).To(Succeed())

	By("taking an identity that no operator has looked at")
	Expect(admin.Create(ctx, newIdentity("new"))).To(Succeed())
	taken = map[string]map[string]any{"new": scrubbed("new")}

	webhook, err = operator.UseWebhook(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
})

// startOperator runs the operator in this process, and waits until it serves the webhook.
func startOperator() {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		webhook.Configure(options)
		options.AllowedSigners = append(options.AllowedSigners, unserved)
		options.SlowLook = time.Second
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(webhook.Ready(ctx)).To(Succeed())
}

type change = func(*v1alpha1.ClientIdentity)

// newIdentity returns an identity for the user of the same name who may edit in the namespace work.
func newIdentity(name string, changes ...change) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{}
	identity.Name = name
	identity.Spec.Username = name + "@example.com"
	identity.Spec.Groups = []string{"developers"}
	identity.Spec.RoleBindings = []v1alpha1.RoleBinding{
		{Name: "edit", Namespace: "work", RoleRef: v1alpha1.RoleRef{Kind: "ClusterRole", Name: "edit"}},
	}
	for _, c := range changes {
		c(identity)
	}
	return identity
}

// create creates an identity and deletes it after the spec.
func create(name string, changes ...change) {
	GinkgoHelper()
	identity := newIdentity(name, changes...)
	Expect(admin.Create(ctx, identity)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, identity))).To(Succeed()) })
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// patch changes an identity with a merge patch.
func patch(name string, c change) {
	GinkgoHelper()
	identity := get(name)
	base := identity.DeepCopy()
	c(identity)
	Expect(admin.Patch(ctx, identity, client.MergeFrom(base))).To(Succeed())
}

// inState waits until an identity is in a state for that reason, as its latest spec asks.
func inState(name string, state v1alpha1.ObservedState, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		identity := get(name)
		g.Expect(identity.Status.ObservedGeneration).To(Equal(identity.Generation))
		g.Expect(string(identity.Status.State) + " " + identity.Status.StateReason).To(Equal(string(state) + " " + reason))
	}).Should(Succeed())
}

// revision waits until a certificate of that revision is published, and the identity ready.
func revision(name string, want int64) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		identity := get(name)
		g.Expect(identity.Status.Certificate).NotTo(BeNil())
		g.Expect(identity.Status.Certificate.Revision).To(Equal(want))
		g.Expect(identity.Status.State).To(Equal(v1alpha1.ObservedReady))
	}).Should(Succeed())
}
