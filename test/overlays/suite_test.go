// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package overlays tests the overlays of config/overlays on a real control plane: each is applied over config/default, and
// the operator runs with its flags and its rights.
package overlays

import (
	"context"
	"flag"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

var (
	ctx   context.Context
	cp    *controlplane.ControlPlane
	admin client.Client
)

func TestOverlays(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Overlays Suite")
}

var _ = BeforeSuite(func() {
	ctx, cp, admin = suite.Start(controlplane.Options{}, GinkgoWriter)
	for _, name := range []string{"team-a", "anywhere"} {
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
})

// use applies an overlay and runs the operator with the flags of its Deployment.
func use(overlay string) {
	GinkgoHelper()
	Expect(operator.ApplyWithoutWebhook(ctx, cp, "config/overlays/"+overlay)).To(Succeed())
	deployment := &appsv1.Deployment{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "client-identity-operator"}, deployment)).To(Succeed())
	connection, err := operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	running, err := operator.Start(ctx, connection, func(options *manager.Options) {
		local := *options
		flags := flag.NewFlagSet(overlay, flag.ContinueOnError)
		options.BindFlags(flags)
		Expect(flags.Parse(deployment.Spec.Template.Spec.Containers[0].Args)).To(Succeed())
		options.MetricsBindAddress, options.HealthProbeBindAddress, options.LeaderElect = local.MetricsBindAddress, local.HealthProbeBindAddress, false
		options.SlowLook = 500 * time.Millisecond
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
}

// create creates an identity and deletes it after the spec.
func create(name string, change func(*v1alpha1.ClientIdentitySpec)) {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.Username = name + "@example.com"
	change(&identity.Spec)
	Expect(admin.Create(ctx, identity)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, identity)).To(Succeed()) })
}

// condition returns a condition of an identity as "status reason: message".
func condition(name, conditionType string) func() string {
	return func() string {
		identity := &v1alpha1.ClientIdentity{}
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, identity); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(identity.Status.Conditions, conditionType)
		if c == nil {
			return ""
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
}

// eventuallyReady waits until an identity is ready.
func eventuallyReady(name string) {
	GinkgoHelper()
	Eventually(condition(name, v1alpha1.ConditionReady)).Should(HavePrefix("True "))
}

// secretIn returns the Secret of an identity in a namespace.
func secretIn(namespace, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name + "-kubeconfig"}, secret)).To(Succeed())
	return secret
}

// holder returns a client with the kubeconfig in a Secret.
func holder(secret *corev1.Secret) client.Client {
	GinkgoHelper()
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data["kubeconfig"])
	Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}
