// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/clientidentity/operator/internal/machine"
)

// execInfoVariable is where clients tell exec plugins which API server they are for.
const execInfoVariable = "KUBERNETES_EXEC_INFO"

func newCredentialCommand(env *Env) *cobra.Command {
	var identity, uid string
	cmd := &cobra.Command{
		Use:    "credential --identity NAME --uid UID",
		Hidden: true, // nobody calls it by hand
		Short:  "Give kubectl the credential of this machine, renewed if it is time: kubeconfigs call it",
		Long: `Gives kubectl, and everything else that reads kubeconfigs, the certificate and key of this machine (an exec credential plugin,
client.authentication.k8s.io/v1). Nobody calls it but kubeconfigs, which enroll and kubeconfig write.

It asks the API server for nothing until the renewal time of the certificate. Then it renews with the certificate that it has: with a new
key of this machine (privateKey.source: Holder), or with what the operator has published (Operator). The new certificate is tried before it
replaces the old one. One process renews, and the others go on with the old one meanwhile. While that is valid, nothing that goes wrong is an
error: it says so in one line on stderr, at most once in five minutes, and tries again later.

The files are in $XDG_DATA_HOME/kubectl-clientidentity/UID (~/.local/share on Linux; KUBECTL_CLIENTIDENTITY_HOME replaces the folder above UID),
and only their owner can read them. They belong to one machine: the second copy that renews has the device suspended.

A kuberc that lets kubectl call some programs only (kubectl 1.35 and later) needs an entry, with name instead of command for kubectl 1.35:

    apiVersion: kubectl.config.k8s.io/v1beta1
    kind: Preference
    credentialPluginPolicy: Allowlist
    credentialPluginAllowlist:
    - command: kubectl-clientidentity

It takes no permission but those that the operator gives holders.`,
		Example: Example(
			"# What a kubeconfig has",
			"users:",
			"- name: alice@prod",
			"  user:",
			"    exec:",
			"      apiVersion: client.authentication.k8s.io/v1",
			"      command: kubectl-clientidentity",
			"      args: [credential, --identity, alice, --uid, c9f3b3e4-63f0-4a58-9d5c-3f5a0a4a5d11]",
			"      interactiveMode: Never",
			"      provideClusterInfo: true",
			"",
			"# What kubectl gets: a certificate and a private key",
			"kubectl clientidentity credential --identity alice --uid c9f3b3e4-63f0-4a58-9d5c-3f5a0a4a5d11"),
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := execTarget(os.Getenv(execInfoVariable))
			if err != nil {
				return err
			}
			served, err := env.machine().Serve(cmd.Context(), identity, types.UID(uid), target)
			if err != nil {
				return err
			}
			return writeCredential(env.Out, served)
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "Name of the identity.")
	cmd.Flags().StringVar(&uid, "uid", "", "UID of the identity: there may be others of that name, in other clusters.")
	// They fail only for flags that do not exist.
	_ = errors.Join(cmd.MarkFlagRequired("identity"), cmd.MarkFlagRequired("uid"))
	return cmd
}

// machine returns this machine, which tells what it has to say on stderr.
func (e *Env) machine() *machine.Device {
	d := machine.New(machine.Home(os.Getenv), func(message string) { fmt.Fprintf(e.ErrOut, "kubectl-clientidentity: %s\n", clean(message)) })
	d.Clock = e.Clock
	return d
}

// execTarget returns the API server that a client tells of; nil where it tells of none.
func execTarget(info string) (*machine.Target, error) {
	if info == "" {
		return nil, nil
	}
	asked := clientauthenticationv1.ExecCredential{}
	if err := json.Unmarshal([]byte(info), &asked); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", execInfoVariable, err)
	}
	if want := clientauthenticationv1.SchemeGroupVersion.String(); asked.APIVersion != want {
		return nil, fmt.Errorf("the client asks for %q, and this is a plugin of %q: write that into the exec section of the kubeconfig", asked.APIVersion, want)
	}
	cluster := asked.Spec.Cluster
	if cluster == nil || cluster.Server == "" {
		return nil, nil
	}
	return &machine.Target{
		Server: cluster.Server, TLSServerName: cluster.TLSServerName, ProxyURL: cluster.ProxyURL,
		CertificateAuthorityData: cluster.CertificateAuthorityData, Insecure: cluster.InsecureSkipTLSVerify,
	}, nil
}

// writeCredential writes what clients read.
func writeCredential(out io.Writer, served machine.Served) error {
	data, err := json.Marshal(clientauthenticationv1.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: clientauthenticationv1.SchemeGroupVersion.String(), Kind: "ExecCredential"},
		Status: &clientauthenticationv1.ExecCredentialStatus{
			ExpirationTimestamp:   &metav1.Time{Time: served.Expires},
			ClientCertificateData: string(served.Certificate), ClientKeyData: string(served.Key),
		},
	})
	if err != nil {
		return errors.New("the credential cannot be encoded")
	}
	_, err = out.Write(append(data, '\n'))
	return err
}
