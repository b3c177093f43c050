// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugin is kubectl clientidentity: what people and their devices use of the operator. A command stands in a file of its own;
// what it decides is pure, and what it reads and writes goes through Env.
package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Env is what commands work with.
type Env struct {
	genericiooptions.IOStreams
	// Flags are kubectl's own: --kubeconfig, --context, --as and so on.
	Flags *genericclioptions.ConfigFlags
	Clock clock.PassiveClock
}

// Connection returns how to reach the API server, as kubectl does.
func (e *Env) Connection() (*rest.Config, error) {
	connection, err := e.Flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	connection.QPS = -1 // API Priority and Fairness is the throttle
	return connection, nil
}

// Client returns a client of the API server without a cache.
func (e *Env) Client() (client.Client, error) {
	connection, err := e.Connection()
	if err != nil {
		return nil, err
	}
	return client.New(connection, client.Options{Scheme: scheme(), Mapper: mapper()})
}

// NewCommand returns kubectl clientidentity with all its commands.
func NewCommand(streams genericiooptions.IOStreams, now clock.PassiveClock, version string) *cobra.Command {
	env := &Env{IOStreams: streams, Flags: genericclioptions.NewConfigFlags(true), Clock: now}
	root := &cobra.Command{
		Use:           "kubectl-clientidentity",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl clientidentity"},
		Short:         "Client certificates for Kubernetes users: look at them, hand them out, end them",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	env.Flags.AddFlags(root.PersistentFlags())
	root.AddCommand(commands(env)...)
	setHelp(root, env)
	return root
}

// commands returns all commands, in the order of the help.
func commands(env *Env) []*cobra.Command {
	return []*cobra.Command{
		newActivateCommand(env),
		newAuditCommand(env),
		newCanICommand(env),
		newCredentialCommand(env),
		newEnrollCommand(env),
		newInviteCommand(env),
		newKubeconfigCommand(env),
		newListCommand(env),
		newOffboardCommand(env),
		newRenewCommand(env),
		newRevokeCommand(env),
		newStatusCommand(env),
		newVerifyCommand(env),
		newWithdrawCommand(env),
	}
}

// Execute runs a command until it is done or ctx ends. Errors say what to do, where that is known: see Explain.
func Execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SetArgs(args)
	return Explain(root.ExecuteContext(ctx))
}
