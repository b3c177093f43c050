// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"sync/atomic"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Name is the name of the webhook's configuration, and of its Service and Secret.
const (
	ConfigurationName = "client-identity-operator"
	ServiceName       = "client-identity-operator-webhook"
	SecretName        = "client-identity-operator-webhook"
)

// The library lists the Secrets of the operator's own namespace, which holds no other, and all webhook configurations.
// +kubebuilder:rbac:groups="",resources=secrets,namespace=client-identity-system,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=client-identity-operator-webhook,namespace=client-identity-system,verbs=update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,verbs=list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=client-identity-operator,verbs=update

// rotate keeps a serving certificate in the Secret, and its CA in the webhook's configuration. The channel is closed when
// both are in place and the certificate has come to the directory, which the Secret is mounted at.
func rotate(mgr manager.Manager, live client.Client, options Options) (<-chan struct{}, error) {
	ready := make(chan struct{})
	err := rotator.AddRotator(liveManager{Manager: mgr, live: live}, &rotator.CertRotator{
		SecretKey:      types.NamespacedName{Namespace: options.Namespace, Name: SecretName},
		CertDir:        options.CertDir,
		CAName:         "client-identity-operator-webhook-ca",
		CAOrganization: "client-identity-operator",
		DNSName:        fmt.Sprintf("%s.%s.svc", ServiceName, options.Namespace),
		// For an operator outside of the cluster: https://localhost:<port>.
		ExtraDNSNames:  []string{"localhost"},
		IsReady:        ready,
		Webhooks:       []rotator.WebhookInfo{{Name: ConfigurationName, Type: rotator.Validating}},
		FieldOwner:     "client-identity-operator",
		ControllerName: rotationName(),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the rotation of the webhook's certificate: %w", err)
	}
	return ready, nil
}

// liveManager hands out a client without a cache: the manager's own one would begin to cache Secrets, keys included,
// once it has written one.
type liveManager struct {
	manager.Manager
	live client.Client
}

func (m liveManager) GetClient() client.Client { return m.live }

var rotations atomic.Int32

// rotationName returns a name that no controller of this process has: the library does not let it be skipped that names
// are checked, and tests run several managers.
func rotationName() string {
	const name = "webhook-certificate"
	if n := rotations.Add(1); n > 1 {
		return fmt.Sprintf("%s-%d", name, n)
	}
	return name
}
