// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/clientidentity/operator/internal/enforcement"
	"github.com/clientidentity/operator/internal/proof"
	"github.com/clientidentity/operator/internal/timing"
)

const preflightHelp = `Tries what a cluster does with client certificates: whether somebody signs, whether the API server takes what was signed, and
whether it denies what is revoked (docs/guides/deny.md). It makes one certificate, which grants nothing and is denied on purpose where the
API server asks the operator; its key never leaves this process, and its request is deleted. You need the rights to create, list, watch, approve
(approve on the signer) and delete CertificateSigningRequests. With several API servers, run it against each one: --server.

It exits with 1 where something cannot be tried, and with --require-denial also where a certificate is let through.

Usage: manager preflight [flags]

Flags:
`

// errLetThrough is that the API server does not deny.
var errLetThrough = errors.New("the API server does not deny revoked certificates: see docs/guides/deny.md")

// preflight is the subcommand of that name.
func preflight(ctx context.Context, args []string, stdout io.Writer) error {
	var cluster clusterOptions
	var server, signer string
	var tries int
	var require bool
	flags := flag.NewFlagSet("manager preflight", flag.ContinueOnError)
	cluster.bindConnectionFlags(flags)
	flags.StringVar(&server, "server", "", "`URL` of the API server to try, in place of the one in the kubeconfig.")
	flags.StringVar(&signer, "signer", certificatesv1.KubeAPIServerClientSignerName, "`name` of the signer that is asked.")
	flags.IntVar(&tries, "tries", 20, "How often to try, over a connection each: behind a load balancer, each may meet another API server.")
	flags.BoolVar(&require, "require-denial", false, "Exit with 1 where a certificate that is to be denied is let through.")
	if err := parse(flags, args, preflightHelp, stdout); err != nil {
		return err
	}
	if tries < 1 {
		return fmt.Errorf("--tries %d must be at least 1", tries)
	}
	connection, err := cluster.connection()
	if err != nil {
		return err
	}
	if server != "" {
		connection.Host = server
	}
	client, err := kubernetes.NewForConfig(connection)
	if err != nil {
		return err
	}
	check := &enforcement.Check{Client: client, Prover: proof.New(connection), SignerName: signer, Clock: clock.RealClock{}}
	found, err := check.Once(ctx, tries)
	if !found.Signed.IsZero() {
		fmt.Fprintf(stdout, "ok      signer %q signs: asked for a day, issued until %s\n", signer, timing.Stamp(found.Signed))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "ok      the API server at %s takes its certificates\n", connection.Host)
	if found.LetThrough {
		fmt.Fprintf(stdout, "off     it does not deny what the operator would: revocation reaches the bindings of an identity\n")
		if require {
			return errLetThrough
		}
		return nil
	}
	fmt.Fprintf(stdout, "ok      it denies revoked certificates, in %d tries of %d\n", tries, tries)
	return nil
}
