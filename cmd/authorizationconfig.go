// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"github.com/clientidentity/operator/internal/authorizationconfig"
)

const authorizationConfigHelp = `Prints how the API server is to ask the operator whether a certificate is denied: the AuthorizationConfiguration, the
kubeconfig for it, and what the tool that made the cluster has to be told. docs/guides/deny.md walks through it. It changes
nothing, and prints no secret. The operator's address and CA are read from the cluster of the current context (get the Service
%s and the ValidatingWebhookConfiguration %s); --server and --certificate-authority do without.

Usage: manager authorization-config --for kubeadm [flags]

Flags:
`

// denyWarning is told where the operator's absence denies.
const denyWarning = `WARNING: with --failure-policy=Deny, all requests with client certificates are denied while the operator does not answer,
  also those of people who are not its identities. Only system:masters, kubeadm:cluster-admins, kubelets, the control plane's own
  components and ServiceAccounts get through. Keep a credential of system:masters at hand, run two replicas, and try it first with
  NoOpinion.
`

// authorizationConfigOptions are the flags of the subcommand.
type authorizationConfigOptions struct {
	kind, server, caFile, clientCertificate, clientKey, nodeDirectory string
	failurePolicy, outputDir                                          string
	force                                                             bool
	cluster                                                           clusterOptions
}

func (o *authorizationConfigOptions) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.kind, "for", "", "How the cluster was made: `kind` is one of "+authorizationconfig.KindNames()+
		`; file is Kubernetes' own two files, for an API server that you start yourself.`)
	flags.StringVar(&o.server, "server", "", "`URL` at which the API server reaches the operator, such as https://10.96.0.99:9445. "+
		"Empty means the ClusterIP of its Service: the API server does not ask the cluster's DNS.")
	flags.StringVar(&o.caFile, "certificate-authority", "", "`file` with the CA (PEM) of the operator's serving certificate. "+
		"Empty means the one in the webhook's configuration.")
	flags.StringVar(&o.clientCertificate, "client-certificate", "", "`path`, on the control plane node, of the certificate that the API server shows to the operator. "+
		"Empty means what this kind of cluster has at hand.")
	flags.StringVar(&o.clientKey, "client-key", "", "`path`, on the control plane node, of its key.")
	flags.StringVar(&o.nodeDirectory, "node-directory", "", "`path` of the directory on the control plane node that the files are put into. "+
		"Empty means what suits this kind of cluster.")
	flags.StringVar(&o.failurePolicy, "failure-policy", apiserverv1.FailurePolicyNoOpinion,
		"What counts while the operator does not answer: NoOpinion decides as without it, Deny denies every client certificate.")
	flags.StringVar(&o.outputDir, "output-dir", "", "`directory` to write the files to, instead of printing them.")
	flags.BoolVar(&o.force, "force", false, "Overwrite files in --output-dir.")
	o.cluster.bindFlags(flags)
}

// printAuthorizationConfig is the subcommand authorization-config.
func printAuthorizationConfig(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var options authorizationConfigOptions
	flags := flag.NewFlagSet("manager authorization-config", flag.ContinueOnError)
	options.bindFlags(flags)
	if err := parse(flags, args, fmt.Sprintf(authorizationConfigHelp, authorizationconfig.Service, webhookConfiguration), stdout); err != nil {
		return err
	}
	kind, err := authorizationconfig.KindOf(options.kind)
	if err != nil {
		return err
	}
	parameters, err := options.parameters(ctx, kind)
	if err != nil {
		return err
	}
	files, err := kind.Files(parameters)
	if err != nil {
		return err
	}
	if parameters.FailurePolicy == apiserverv1.FailurePolicyDeny {
		fmt.Fprint(stderr, denyWarning)
	}
	if kind.ClientName != "" && options.clientCertificate == "" {
		fmt.Fprintf(stderr, "The operator has to be started with --authorization-webhook-client-name=%s, the name in %s.\n", kind.ClientName, kind.ClientCertificate)
	}
	if options.outputDir != "" {
		return writeFiles(options.outputDir, files, options.force, stderr)
	}
	for i, file := range files {
		if i > 0 {
			fmt.Fprintln(stdout, "---")
		}
		if _, err := stdout.Write(file.Content); err != nil {
			return err
		}
	}
	return nil
}

// parameters returns what the flags say, and for what they leave open what the cluster says.
func (o *authorizationConfigOptions) parameters(ctx context.Context, kind authorizationconfig.Kind) (authorizationconfig.Parameters, error) {
	p := authorizationconfig.Parameters{
		TLSServerName:     authorizationconfig.ServerName(o.cluster.namespace),
		ClientCertificate: cmp.Or(o.clientCertificate, kind.ClientCertificate),
		ClientKey:         cmp.Or(o.clientKey, kind.ClientKey),
		Directory:         cmp.Or(o.nodeDirectory, kind.Directory),
		FailurePolicy:     o.failurePolicy,
	}
	if (o.clientCertificate == "") != (o.clientKey == "") {
		return p, errors.New("--client-certificate and --client-key belong together: set both, or none")
	}
	if o.server != "" {
		server, err := authorizationconfig.ServerURL(o.server)
		if err != nil {
			return p, err
		}
		p.Server = server
	}
	if o.caFile != "" {
		bundle, err := os.ReadFile(o.caFile)
		if err != nil {
			return p, fmt.Errorf("--certificate-authority: %w", err)
		}
		p.CertificateAuthorityData = bundle
	}
	if err := p.ValidateNode(); err != nil || (o.server != "" && o.caFile != "") {
		return p, err
	}
	err := o.cluster.complete(ctx, &p)
	return p, err
}

// writeFiles writes the files, none of them where one exists already and may not be overwritten. They hold no secret, and the API
// server need not be root.
func writeFiles(dir string, files []authorizationconfig.File, force bool, stderr io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // no secret is in it
		return fmt.Errorf("--output-dir: %w", err)
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name)
		if _, err := os.Lstat(path); !force && !os.IsNotExist(err) {
			return errors.Join(fmt.Errorf("%s exists: choose another --output-dir, or set --force to overwrite it", path), err)
		}
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name)
		if err := os.WriteFile(path, file.Content, 0o644); err != nil { //nolint:gosec // no secret is in it
			return err
		}
		fmt.Fprintln(stderr, "wrote", path)
	}
	return nil
}
