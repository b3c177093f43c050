// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugin tests kubectl clientidentity as its users meet it: as a process, on a real control plane with the operator as its
// shipped ServiceAccount behind its admission webhook, by people who have exactly the rights that the help of a command names.
package plugin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

// auditPolicy records who asked for what, without any content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// probe is an identity that tells how far revocations reach.
const probe = "reach"

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client, without a cache.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	webhook    *operator.Webhook
	// authorizer is what the API server asks about certificates: revocations reach it.
	authorizer *operator.Authorizer
	replica    *operator.Replica
	running    *operator.Running
	// binary is the plugin.
	binary string
)

func TestPlugin(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Plugin Suite")
}

var _ = BeforeSuite(func() {
	var err error
	binary, err = gexec.Build("github.com/clientidentity/operator/cmd/kubectl-clientidentity")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	authorizer, err = operator.NewAuthorizer(GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(authorizer.Forwarder.To()).To(Succeed()) })
	ctx, cp, admin = suite.Start(controlplane.Options{AuditPolicy: []byte(auditPolicy), Authorization: authorizer.Authorization("v1")}, GinkgoWriter)
	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	webhook, err = operator.UseWebhook(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	trustWebhook()
	replica, err = authorizer.NewReplica()
	Expect(err).NotTo(HaveOccurred())
	startOperator()
	DeferCleanup(func() {
		if running != nil {
			Expect(running.Stop()).To(Succeed())
		}
	})

	By("waiting until the operator has found out that revocations reach the API server")
	Expect(admin.Create(ctx, &v1alpha1.ClientIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: probe},
		Spec: v1alpha1.ClientIdentitySpec{
			Username: probe, RevokedCertificates: []v1alpha1.RevokedCertificate{{Fingerprint: strings.Repeat("0", 64)}},
		},
	})).To(Succeed())
	eventuallyReachesAPIServer()
})

// trustWebhook makes the API server trust the certificate in the files, which admission and authorization are served with.
func trustWebhook() {
	GinkgoHelper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "client-identity-operator"}, configuration)).To(Succeed())
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig.CABundle = authorizer.CA.CertPEM()
	}
	Expect(admin.Update(ctx, configuration)).To(Succeed())
}

// startOperator runs the operator in this process.
func startOperator() {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, func(options *manager.Options) {
		webhook.Configure(options)
		replica.Configure(options)
		options.Webhook.CertRotation = false // it serves with the authorizer's certificate
		options.SlowLook = 2 * time.Second
		options.Authorization.Interval = 400 * time.Millisecond
	})
	Expect(err).NotTo(HaveOccurred())
	ask()
	Expect(webhook.Ready(ctx)).To(Succeed())
}

// stopOperator stops it until the end of the spec at the latest.
func stopOperator() {
	GinkgoHelper()
	// The API server does not wait for whom nobody listens for.
	Expect(authorizer.Forwarder.To()).To(Succeed())
	Expect(running.Stop()).To(Succeed())
	running = nil
	DeferCleanup(resumeOperator)
}

// resumeOperator starts it again, where it was stopped.
func resumeOperator() {
	GinkgoHelper()
	if running == nil {
		startOperator()
	}
}

// ask has the API server ask the operator about certificates, and waits until that answers.
func ask() {
	GinkgoHelper()
	Expect(replica.Serving(ctx)).To(Succeed())
	Expect(authorizer.Forwarder.To(replica.Address)).To(Succeed())
}

// reach is how far revocations reach, as the operator has found out by trying.
func reach() v1alpha1.RevocationReach {
	GinkgoHelper()
	return get(probe).Status.RevocationReach
}

// eventuallyReachesAPIServer waits until the operator says so of several rounds of tries: among the last ones at its start are those before it was asked.
func eventuallyReachesAPIServer() {
	GinkgoHelper()
	Eventually(reach).MustPassRepeatedly(50).Should(Equal(v1alpha1.ReachAPIServer))
}

// unasked keeps the API server from asking, until the end of the spec, and waits until the operator knows: revocations reach role bindings alone then.
// Who lacks a right gets another error meanwhile.
func unasked() {
	GinkgoHelper()
	Expect(authorizer.Forwarder.To()).To(Succeed())
	DeferCleanup(func() {
		ask()
		eventuallyReachesAPIServer()
	})
	Eventually(reach).Should(Equal(v1alpha1.ReachBindings))
}

// uniqueName returns a name that no other spec uses.
func uniqueName(base string) string {
	nameCounter++
	return fmt.Sprintf("%s-%d", base, nameCounter)
}

var nameCounter int
