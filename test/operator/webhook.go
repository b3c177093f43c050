// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
)

// Webhook is the shipped admission webhook, served by an operator on this machine: the API server calls localhost
// instead of a Service.
type Webhook struct {
	port  int
	url   string
	admin client.Client
}

// UseWebhook puts the webhook's configuration into the control plane: from now on nobody creates an identity without an
// operator that serves it. Start one with Configure or Flags, then wait for Ready.
func UseWebhook(ctx context.Context, cp *controlplane.ControlPlane) (*Webhook, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	w, err := UseWebhookBehind(ctx, cp, net.JoinHostPort("localhost", strconv.Itoa(port)))
	if w != nil {
		w.port = port
	}
	return w, err
}

// UseWebhookBehind is UseWebhook for replicas behind an address, such as that of a Forwarder. Start them with ReplicaFlags.
func UseWebhookBehind(ctx context.Context, cp *controlplane.ControlPlane, address string) (*Webhook, error) {
	admin, err := client.New(cp.Config(), client.Options{Scheme: manager.Scheme()})
	if err != nil {
		return nil, err
	}
	w := &Webhook{url: "https://" + address, admin: admin}
	if err := w.install(ctx); err != nil {
		return nil, fmt.Errorf("install the webhook's configuration: %w", err)
	}
	return w, nil
}

// Configure makes an operator in this process serve the webhook.
func (w *Webhook) Configure(options *manager.Options) {
	options.Webhook.Enabled = true
	options.Webhook.Port = w.port
	options.Webhook.Drain = 0 // nothing is asked of it when it is stopped
}

// Flags make an operator in a process of its own serve the webhook.
func (w *Webhook) Flags() []string {
	return []string{"--webhook-port=" + strconv.Itoa(w.port)}
}

// ReplicaFlags make an operator in a process of its own serve a webhook that is used behind another address, and return where.
func ReplicaFlags() (address string, flags []string, err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	return net.JoinHostPort("localhost", strconv.Itoa(port)), []string{"--webhook-port=" + strconv.Itoa(port)}, nil
}

// Ready waits until the API server gets answers from the webhook.
func (w *Webhook) Ready(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = w.answers(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the webhook does not answer: %w", errors.Join(err, last))
	}
	return nil
}

// answers asks the webhook about an identity that is not stored.
func (w *Webhook) answers(ctx context.Context) error {
	probe := &v1alpha1.ClientIdentity{}
	probe.Name = "webhook-probe"
	probe.Spec.Username = "webhook-probe"
	return w.admin.Create(ctx, probe, client.DryRunAll)
}

// install creates the shipped configuration, with a URL in place of the Service.
func (w *Webhook) install(ctx context.Context) error {
	root, err := Root()
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(root, "config", "webhook", "validating_webhook.yaml"))
	if err != nil {
		return err
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict(manifest, configuration); err != nil {
		return err
	}
	for i := range configuration.Webhooks {
		to := &configuration.Webhooks[i].ClientConfig
		// Not an address: the certificate has names only.
		to.URL = ptr.To(w.url + *to.Service.Path)
		to.Service = nil
	}
	return w.admin.Create(ctx, configuration)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
