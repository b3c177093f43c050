// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

// setUpTimeout bounds what takes about ten seconds.
const setUpTimeout = 2 * time.Minute

// stage is what the demo takes place on: a control plane, the operator in a process of its own, and a directory for
// all their files.
type stage struct {
	root         string // of the repository
	dir          string // removed at the end
	controlPlane *controlplane.ControlPlane
	operator     *process
	shell        *shell
	starting     bool
}

// newStage makes the directory and starts nothing.
func newStage() (*stage, error) {
	root, err := operator.Root()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(managerBinary(root)); err != nil {
		return nil, fmt.Errorf("%w: run make demo, which builds it", err)
	}
	dir, err := os.MkdirTemp("", "client-identity-demo-")
	if err != nil {
		return nil, err
	}
	return &stage{root: root, dir: dir}, nil
}

// setUp starts the control plane, installs the operator, runs it as its ServiceAccount and applies the samples.
func (s *stage) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()

	say("Starting a real control plane: etcd, kube-apiserver and kube-controller-manager.")
	s.starting = true
	var err error
	s.controlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Dir: filepath.Join(s.dir, "control-plane"),
		Progress: func(format string, args ...any) {
			if s.starting {
				fmt.Printf("  "+format+"\n", args...)
			}
		},
	})
	if err != nil {
		return err
	}
	s.starting = false
	s.shell = newShell(s.root, s.dir, s.controlPlane)

	say("Installing CRD, RBAC, policy and the admission webhook.")
	fmt.Println("  $ kubectl apply -k config/default")
	fmt.Println("  # There are no nodes: the Deployment's pods do not run, and the API server calls the webhook on localhost.")
	if err := operator.Install(ctx, s.controlPlane); err != nil {
		return err
	}
	say("Starting bin/manager as its ServiceAccount, with no more rights than config/rbac gives it.")
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	say("Applying three identities: jane, a developer, ci-bot, a robot, and lea, whose keys stay on her laptop.")
	return s.apply(ctx, "config/samples")
}

// apply applies a folder of the repository, and shows what kubectl says.
func (s *stage) apply(ctx context.Context, folder string) error {
	line := "kubectl apply -k " + folder
	fmt.Println("  $ " + line)
	output, err := s.shell.inRoot().run(ctx, line)
	fmt.Print(indent(output))
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

// startOperator runs the operator with a kubeconfig of its ServiceAccount, and waits until it is ready.
func (s *stage) startOperator(ctx context.Context) error {
	connection, err := operator.Connection(ctx, s.controlPlane)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(s.dir, "operator.kubeconfig")
	if err := operator.WriteKubeconfig(kubeconfig, connection); err != nil {
		return err
	}
	webhook, err := operator.UseWebhook(ctx, s.controlPlane)
	if err != nil {
		return err
	}
	s.operator, err = startManager(managerBinary(s.root), kubeconfig, filepath.Join(s.dir, "operator.log"), webhook.Flags()...)
	if err != nil {
		return err
	}
	s.shell.env = append(s.shell.env, "METRICS="+s.operator.metrics)
	if err := s.operator.waitReady(ctx); err != nil {
		return err
	}
	if err := webhook.Ready(ctx); err != nil {
		return err
	}
	fmt.Printf("  bin/manager is ready, as %s; Prometheus would scrape https://%s/metrics\n", operator.Username, s.operator.metrics)
	return nil
}

// explain adds the end of the operator's log to an error, or says that it comes from an interruption.
func (s *stage) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case s.operator == nil:
		return err
	}
	return fmt.Errorf("%w\n\nThe end of the operator's log:\n%s", err, indent(s.operator.logTail()))
}

// close stops every process and removes every file.
func (s *stage) close() error {
	var errs []error
	if s.operator != nil {
		errs = append(errs, s.operator.stop())
	}
	if s.controlPlane != nil {
		errs = append(errs, s.controlPlane.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func managerBinary(root string) string { return filepath.Join(root, "bin", "manager") }

// say prints what is done next in the set-up.
func say(line string) { fmt.Println("\n" + line) }
