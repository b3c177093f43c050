// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// The operator's manager: see --help for its flags and subcommands.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clientidentity/operator/internal/manager"
)

// Set by the linker: the version, and the commit that it was built from.
var (
	version  = "dev"
	revision = "unknown"
)

func main() {
	run := runManager
	if subcommand := subcommandOf(os.Args[1:]); subcommand != nil {
		run = subcommand
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(exitCode(err))
	}
}

func runManager() error {
	options := manager.DefaultOptions()
	options.BindFlags(flag.CommandLine)
	logging := manager.Logging{}
	logging.BindFlags(flag.CommandLine)
	showVersion := flag.Bool("version", false, "Print version and revision, and exit.")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: see --help", flag.Arg(0))
	}
	if *showVersion {
		fmt.Printf("%s (revision %s, %s, %s/%s)\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}
	logger := logging.Use()

	connection, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: set --kubeconfig or KUBECONFIG outside a cluster: %w", err)
	}
	options.InCluster, options.Version = inCluster(), version
	ctx := ctrl.SetupSignalHandler()
	mgr, err := manager.New(ctx, connection, options)
	if err != nil {
		return err
	}
	logger.Info("starting", "version", version, "revision", revision, "inCluster", options.InCluster, "secretNamespaces", options.SecretNamespaces,
		"memoryLimit", manager.LimitMemory())
	return mgr.Start(ctx)
}

// inCluster says whether the connection is the one of a pod, in the order of precedence of ctrl.GetConfig.
func inCluster() bool {
	kubeconfig := flag.Lookup("kubeconfig")
	if (kubeconfig != nil && kubeconfig.Value.String() != "") || os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return false
	}
	_, err := rest.InClusterConfig()
	return err == nil
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, `The Client Identity Operator issues and renews Kubernetes client certificates and publishes them as
kubeconfigs in Secrets, as ClientIdentity objects ask for.

Usage: manager [flags]
       manager authorization-config --for <kind of cluster>   print how the API server asks it whether a certificate is denied
       manager preflight                                       try what the cluster does for the operator: signing, rights, admission, denial

Flags:`)
	flag.PrintDefaults()
}
