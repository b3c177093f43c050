// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/internal/preflight"
)

const preflightHelp = `Finds out by trying what a cluster does for the operator: who signs, and for how long at most, whether the API server takes what was
signed, which URL and CA published kubeconfigs carry, whether admission and denial are on, and which rights are missing. Run it before the
installation, as an administrator, and after it; in the operator's pod it looks with the operator's own rights:
kubectl exec -n client-identity-system deploy/client-identity-operator -- /manager preflight

It makes up to three certificates, which grant nothing, and one of which is denied on purpose where the API server asks the operator. Their keys
never leave this process, and their requests are deleted. What is created besides is a dry run. The flags of the operator are read from its
Deployment, where there is one. With several API servers, run it against each one: --server.

It exits with 0 where everything works (warn, off and skip are no failures), with 1 where something does not, and with 2 where it was
called wrongly. docs/operations.md explains each line.

Usage: manager preflight [flags]

Flags:
`

// Where a pod finds its own namespace, and how its first process was started.
const (
	ownNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	firstProcess     = "/proc/1/cmdline"
)

// errPreflight is that something does not work; the report says what.
var errPreflight = errors.New("something does not work: see the lines that begin with fail, or the report")

// preflightOptions are the flags of the subcommand.
type preflightOptions struct {
	cluster                          clusterOptions
	server, serviceAccount, output   string
	signer, kubeconfigServer, caFile string
	secretNamespaces                 string
	tries                            int
	patience                         time.Duration
	requireDenial                    bool
}

func (o *preflightOptions) bindFlags(flags *flag.FlagSet) {
	o.cluster.bindFlags(flags)
	flags.StringVar(&o.serviceAccount, "service-account", "client-identity-operator", "`name` of the operator's ServiceAccount.")
	flags.StringVar(&o.server, "server", "", "`URL` of the API server to try, in place of the one in the kubeconfig.")
	flags.StringVar(&o.signer, "signer", "", "`name` of the signer that is asked. Empty means the first of the operator's --allowed-signers.")
	flags.StringVar(&o.kubeconfigServer, "kubeconfig-server", "", "`URL` that the operator is, or will be, started with, by its flag of that name.")
	flags.StringVar(&o.caFile, "kubeconfig-certificate-authority", "", "`file` with the CA bundle (PEM) that it is, or will be, started with.")
	flags.StringVar(&o.secretNamespaces, "secret-namespaces", "", "`namespaces` that it publishes, or will publish, Secrets in, by its flag of that name.")
	flags.IntVar(&o.tries, "tries", 20, "How often to try a certificate, over a connection each: behind a load balancer, each may meet another API server.")
	flags.DurationVar(&o.patience, "signer-timeout", 30*time.Second, "How long to wait for a signer.")
	flags.BoolVar(&o.requireDenial, "require-denial", false, "Fail where a certificate that is to be denied is let through.")
	flags.StringVar(&o.output, "o", "text", "`format` of the report: text or json.")
}

func (o *preflightOptions) validate() error {
	switch {
	case o.tries < 1:
		return usageError{fmt.Errorf("--tries %d must be at least 1", o.tries)}
	case o.patience < time.Second:
		return usageError{fmt.Errorf("--signer-timeout %s must be at least 1s", o.patience)}
	case o.output != "text" && o.output != "json":
		return usageError{fmt.Errorf("-o %q must be text or json", o.output)}
	}
	return nil
}

// runPreflight is the subcommand preflight.
func runPreflight(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	options := preflightOptions{}
	flags := flag.NewFlagSet("manager preflight", flag.ContinueOnError)
	options.bindFlags(flags)
	if err := parse(flags, args, preflightHelp, stdout); err != nil {
		return err
	}
	if err := options.validate(); err != nil {
		return err
	}
	connection, err := options.cluster.connection()
	if err != nil {
		return usageError{err}
	}
	inCluster := options.inCluster(connection)
	if own, err := os.ReadFile(ownNamespaceFile); err == nil && inCluster && !given(flags, "namespace") {
		options.cluster.namespace = strings.TrimSpace(string(own))
	}
	if options.server != "" {
		connection.Host = options.server
		// The credential in the kubeconfig goes there, and nowhere in the clear.
		if url, _, err := rest.DefaultServerUrlFor(connection); err != nil || url.Scheme != "https" {
			return usageError{fmt.Errorf("--server %q must be a URL that begins with https://", options.server)}
		}
	}
	report, err := preflight.Run(ctx, preflight.Options{
		Connection: connection, InCluster: inCluster, Namespace: options.cluster.namespace, ServiceAccount: options.serviceAccount,
		Settings: options.settings, Tries: options.tries, SignerPatience: options.patience, RequireDenial: options.requireDenial,
		Version: version, Clock: clock.RealClock{},
		Progress: func(format string, args ...any) { fmt.Fprintf(stderr, "... "+format+"\n", args...) },
		Found: func(finding preflight.Finding) {
			if options.output == "text" {
				preflight.PrintFinding(stdout, finding)
			}
		},
	})
	if err != nil {
		return err
	}
	if options.output == "json" {
		if err := preflight.PrintJSON(stdout, report); err != nil {
			return err
		}
	}
	if report.Result == preflight.Fail {
		return errPreflight
	}
	return nil
}

// given says whether a flag was set.
func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// inCluster says whether the connection is the one of a pod.
func (o *preflightOptions) inCluster(connection *rest.Config) bool {
	own, err := rest.InClusterConfig()
	return err == nil && own.Host == connection.Host && own.BearerTokenFile == connection.BearerTokenFile
}

// settings returns what the operator is started with: by the arguments of the one that is installed, else those of the first process of
// this container, which is the operator where somebody runs this in its pod. The flags given here come first.
func (o *preflightOptions) settings(arguments []string) (preflight.Settings, error) {
	source := ""
	if arguments == nil {
		if arguments = ownArguments(firstProcess); arguments != nil {
			source = "the operator in this container"
		}
	}
	options := manager.DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	options.BindFlags(flags)
	logging := manager.Logging{}
	logging.BindFlags(flags)
	flags.String("kubeconfig", "", "")
	if err := flags.Parse(arguments); err != nil {
		return preflight.Settings{}, fmt.Errorf("the operator's arguments: %w", err)
	}
	if o.secretNamespaces != "" {
		if err := flags.Set("secret-namespaces", o.secretNamespaces); err != nil {
			return preflight.Settings{}, usageError{err}
		}
	}
	settings := preflight.Settings{
		KubeconfigServer: cmp.Or(o.kubeconfigServer, options.KubeconfigServer), SecretNamespaces: options.SecretNamespaces,
		Signer: o.signer, Signers: options.AllowedSigners, Source: source,
	}
	if settings.Signer == "" && len(options.AllowedSigners) > 0 {
		settings.Signer = options.AllowedSigners[0]
	}
	if !slices.Contains(settings.Signers, settings.Signer) {
		settings.Signers = []string{settings.Signer} // one that is thought of
	}
	if o.kubeconfigServer != "" {
		settings.Source = "as given here"
	}
	if o.caFile != "" {
		bundle, err := os.ReadFile(o.caFile)
		if err != nil {
			return settings, usageError{fmt.Errorf("--kubeconfig-certificate-authority: %w", err)}
		}
		settings.KubeconfigCA = bundle
	} else if options.KubeconfigCAFile != "" && source != "" {
		settings.KubeconfigCA, _ = os.ReadFile(options.KubeconfigCAFile) // its file is in its pod
	}
	return settings, nil
}

// ownArguments returns the arguments of the process that a file of /proc describes, where that is the operator; nil where it is not.
func ownArguments(cmdline string) []string {
	content, err := os.ReadFile(cmdline) //nolint:gosec // a constant, but in tests
	if err != nil {
		return nil
	}
	arguments := strings.Split(string(bytes.TrimRight(content, "\x00")), "\x00")
	if filepath.Base(arguments[0]) != "manager" || subcommandOf(arguments[1:]) != nil {
		return nil
	}
	return append([]string{}, arguments[1:]...)
}
