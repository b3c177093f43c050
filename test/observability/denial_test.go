// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/serving"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// denial is the operator's endpoint that API servers may ask.
type denial struct {
	ctx     context.Context
	cp      *controlplane.ControlPlane
	admin   client.Client
	address string
	files   controlplane.AuthorizationFiles
}

// startedUnasked returns options for a control plane whose API server does not ask the endpoint.
func (d *denial) startedUnasked() controlplane.Options {
	d.address = freeAddress()
	return controlplane.Options{Authorization: func(files controlplane.AuthorizationFiles) (controlplane.Authorization, error) {
		d.files = files
		return operator.NobodyAsked(files)
	}}
}

// configure makes an operator serve the endpoint, and look often whether it is asked.
func (d *denial) configure(options *manager.Options) {
	options.Authorization = manager.AuthorizationOptions{
		BindAddress: d.address, ClientCAFile: d.files.ClientCA, ClientName: controlplane.AuthorizationClient, Interval: 2 * time.Second,
	}
}

// askAt makes the API server ask at an address.
func (d *denial) askAt(address string) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(d.admin.Get(d.ctx, client.ObjectKey{Namespace: operator.Namespace, Name: serving.SecretName}, secret)).To(Succeed())
	Expect(d.cp.ReplaceAuthorization(d.ctx, operator.AsPrinted(address, secret.Data["ca.crt"]))).To(Succeed())
}

// expectAlerts sees the alerts about denial fire and end: while the API server does not ask, while it asks, and while it asks in vain.
func (d *denial) expectAlerts(server *server) {
	GinkgoHelper()
	const notEnforced, failsOpen = "ClientIdentityDenialNotEnforced", "ClientIdentityDenialFailsOpen"
	Eventually(server.firing).WithArguments("").Should(And(ContainElement(notEnforced), Not(ContainElement(failsOpen))))
	By("letting the API server ask whom to deny")
	d.askAt(d.address)
	Eventually(server.firing).WithArguments("").ShouldNot(ContainElement(notEnforced))
	Expect(server.query(`clientidentity_denial_enforced == 1`)).NotTo(BeEmpty())
	Expect(server.query(`clientidentity_authorization_reviews_total{result="Denied",reason="IdentityDeleted"} > 0`)).NotTo(BeEmpty())
	Expect(server.query(`controller_runtime_webhook_latency_seconds_count{webhook="/authorize"} > 0`)).NotTo(BeEmpty())
	Expect(server.firing("")).NotTo(ContainElement(failsOpen))
	By("letting it ask where nobody answers")
	d.askAt(freeAddress())
	Eventually(server.firing).WithArguments("").Should(ContainElements(notEnforced, failsOpen))
	Expect(server.query(`apiserver_authorization_webhook_evaluations_fail_open_total{name="client-identity-operator",result="error"} > 0`)).NotTo(BeEmpty())
}
