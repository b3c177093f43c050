// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/test/bench/result"
	"github.com/clientidentity/operator/test/operator"
)

// leaseName is the name of the lease of the leader, and of the admission webhook.
const leaseName = "client-identity-operator"

// ours is the operator as it is shipped, in a process of its own: with the arguments and the memory limit of its Deployment, elected, asked
// by the API server about every identity, and with its metrics.
type ours struct {
	*world
	process
	probes, metrics string
}

func newOurs(w *world) *ours { return &ours{world: w} }

// build builds the operator as it is shipped.
func build(ctx context.Context, root, path string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd")
	command.Dir, command.Stderr = root, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	return command.Run()
}

func (o *ours) name() result.Subject { return result.Operator }

func (o *ours) phases() []result.Phase {
	return []result.Phase{
		result.Alone, result.Issue, result.Quiet, result.Restart, result.Renew, result.Groups, result.Bindings, result.Withdraw, result.Activate, result.Delete,
	}
}

func (o *ours) start(ctx context.Context) error {
	kubeconfig := filepath.Join(o.cp.Dir(), "operator.kubeconfig")
	if err := operator.WriteKubeconfig(kubeconfig, o.connection); err != nil {
		return err
	}
	container, err := operator.Container(ctx, o.admin)
	if err != nil {
		return err
	}
	webhook, err := operator.UseWebhook(ctx, o.cp)
	if err != nil {
		return err
	}
	for _, address := range []*string{&o.probes, &o.metrics} {
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	o.path, o.log = o.manager, filepath.Join(o.cp.Dir(), "operator.log")
	// The last of two flags of the same name counts.
	o.args = append(append(container.Args, webhook.Flags()...), "--kubeconfig="+kubeconfig, "--leader-election-namespace="+operator.Namespace,
		"--health-probe-bind-address="+o.probes, "--metrics-bind-address="+o.metrics)
	o.environment = operator.Environment(container)
	if err := o.lead(ctx); err != nil {
		return o.failed(err)
	}
	return webhook.Ready(ctx)
}

// lead starts the process and waits until it is ready and leads.
func (o *ours) lead(ctx context.Context) error {
	former, err := o.leader(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := o.process.start(); err != nil {
		return err
	}
	if err := o.waitReady(ctx, "http://"+o.probes+"/readyz"); err != nil {
		return err
	}
	ready := time.Since(began)
	err = until(ctx, 50*time.Millisecond, readyBound, "waiting until the operator leads", func() (bool, error) {
		now, err := o.leader(ctx)
		return now != "" && now != former, err
	})
	o.say("operator: ready after %.1f s, leads after %.1f s", ready.Seconds(), time.Since(began).Seconds())
	return err
}

func (o *ours) leader(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{}
	err := o.admin.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: leaseName}, lease)
	return ptr.Deref(lease.Spec.HolderIdentity, ""), client.IgnoreNotFound(err)
}

// failed adds the end of the log to an error.
func (o *ours) failed(err error) error {
	return fmt.Errorf("%w\nthe end of the operator's log:\n%s", err, o.tail())
}

// stop ends it, and lets identities be made without it.
func (o *ours) stop(ctx context.Context) error {
	return errors.Join(o.process.stop(), client.IgnoreNotFound(o.admin.Delete(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName},
	})))
}

func (o *ours) carryOut(ctx context.Context, phase result.Phase, b *batch) error {
	switch phase {
	case result.Alone, result.Issue:
		return o.create(ctx, b)
	case result.Quiet:
		return pause(ctx, o.quiet)
	case result.Restart:
		if err := o.process.stop(); err != nil {
			return err
		}
		if err := o.lead(ctx); err != nil {
			return o.failed(err)
		}
		return nil
	case result.Delete:
		return o.delete(ctx, b)
	}
	if _, known := changes[phase]; !known {
		return fmt.Errorf("the operator does not know the phase %s", phase)
	}
	return o.change(ctx, phase, b, nil)
}

func (o *ours) clear(ctx context.Context, b *batch) error { return o.delete(ctx, b) }

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
