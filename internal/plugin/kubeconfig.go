// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
	"github.com/clientidentity/operator/internal/machine"
	"github.com/clientidentity/operator/internal/timing"
)

// kubeconfigCommand hands out kubeconfigs.
type kubeconfigCommand struct {
	env          *Env
	merging      merging
	selfRenewing bool
}

func newKubeconfigCommand(env *Env) *cobra.Command {
	k := &kubeconfigCommand{env: env}
	cmd := &cobra.Command{
		Use:   "kubeconfig NAME",
		Short: "Print the kubeconfig of an identity, or merge it into another one",
		Long: `Prints the kubeconfig that the operator publishes in the Secret of the identity, or merges it into the one that you have, in which everything
else stays as it is. It holds a private key: what is printed is a credential.

With --self-renewing the certificate and key go into a file on this machine that only its owner can read, and the kubeconfig calls this program, which reads
the next ones from the Secret once they are there. The holder must be allowed to read the Secret: spec.secret.holderCanRead.

With privateKey.source: Holder there is no key in it: a machine that is enrolled (kubectl clientidentity enroll) uses its own.`,
		Example: Example(
			"# Print it",
			"kubectl clientidentity kubeconfig alice > alice.kubeconfig",
			"",
			"# Merge it into the kubeconfig that you use, and switch to it",
			"kubectl clientidentity kubeconfig alice --merge-into ~/.kube/config --use",
			"",
			"# Let it renew by itself",
			"kubectl clientidentity kubeconfig alice --self-renewing --merge-into ~/.kube/config"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE:              func(cmd *cobra.Command, args []string) error { return k.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&k.selfRenewing, "self-renewing", false, "Keep certificate and key on this machine, and renew them with what the operator publishes.")
	k.merging.addTo(cmd, "Without, it is printed.")
	return needs(cmd, Rights{
		Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  resourceNames: [NAME]
  verbs: [get]
`,
		Namespace: `
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [NAME-kubeconfig]
  verbs: [get]
`,
	})
}

func (k *kubeconfigCommand) run(ctx context.Context, name string) error {
	if k.merging.into == "" && (k.merging.use || k.merging.overwrite) {
		return errors.New("--use and --overwrite are for --merge-into")
	}
	c, err := k.env.Client()
	if err != nil {
		return err
	}
	identity, err := Identity(ctx, c, name)
	if err != nil {
		return err
	}
	if k.selfRenewing && !identity.Spec.Secret.HolderCanRead {
		return fmt.Errorf("the holder of ClientIdentity %q cannot read its Secret, so that a kubeconfig could not renew by itself: set spec.secret.holderCanRead to true "+
			"(and spec.bindTo to Credential), or privateKey.source to Holder", name)
	}
	secret, err := published(ctx, c, identity)
	if err != nil {
		return err
	}
	parameters, user, err := k.read(identity, secret)
	if err != nil {
		return fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	if k.merging.contextName != "" {
		parameters.ContextName = k.merging.contextName
	}
	if k.merging.into != "" {
		if err := k.merging.check(k.env, parameters, user); err != nil {
			return err
		}
	}
	if k.selfRenewing {
		if err := k.keep(ctx, identity, secret, parameters); err != nil {
			return err
		}
	}
	return k.hand(identity, parameters, user)
}

// read returns what the published kubeconfig says, and the user for this one. It must be exactly as the operator writes them: another one might
// run programs.
func (k *kubeconfigCommand) read(identity *v1alpha1.ClientIdentity, secret *corev1.Secret) (kubeconfig.Parameters, *clientcmdapi.AuthInfo, error) {
	data := secret.Data[identity.Spec.Secret.KubeconfigKey]
	exec := kubeconfig.ExecUser(identity.Name, string(identity.UID))
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		if k.selfRenewing {
			return kubeconfig.Parameters{}, nil, errors.New("its keys are made by their holders (privateKey.source: Holder): enrol this machine, kubectl clientidentity enroll")
		}
		parameters, _, uid, err := kubeconfig.ReadExec(data)
		if err == nil && uid != string(identity.UID) {
			err = errors.New("its kubeconfig is of another ClientIdentity of that name: wait until the operator has replaced it")
		}
		return parameters, exec, err
	}
	parameters, certificatePEM, keyPEM, err := kubeconfig.Read(data)
	if err != nil || k.selfRenewing {
		return parameters, exec, err
	}
	return parameters, &clientcmdapi.AuthInfo{ClientCertificateData: certificatePEM, ClientKeyData: keyPEM}, nil
}

// keep keeps certificate and key on this machine.
func (k *kubeconfigCommand) keep(ctx context.Context, identity *v1alpha1.ClientIdentity, secret *corev1.Secret, p kubeconfig.Parameters) error {
	c, issued, err := machine.PublishedCredential(secret.Data)
	if err != nil {
		return fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	if s := identity.Status.Certificate; s != nil && s.Fingerprint == issued.Fingerprint() {
		c.RequestTime = timing.Value(s.RequestTime).UTC()
		if s.RequestedTTL != nil {
			c.Requested = s.RequestedTTL.Duration
		}
	}
	return k.env.machine().Keep(ctx, &machine.Record{
		Identity: identity.Name, UID: identity.UID, Source: v1alpha1.SourceOperator,
		Secret: machine.Place{Namespace: secret.Namespace, Name: secret.Name}, Cluster: p, Parameters: holder.ParametersFor(identity, 0), Current: c,
	})
}

// hand prints or merges a kubeconfig.
func (k *kubeconfigCommand) hand(identity *v1alpha1.ClientIdentity, p kubeconfig.Parameters, user *clientcmdapi.AuthInfo) error {
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder && !k.enrolled(identity) {
		fmt.Fprintf(k.env.ErrOut, "This machine is not enrolled: the kubeconfig works once it is (kubectl clientidentity enroll, with an invitation).\n")
	}
	if k.merging.into == "" {
		config := clientcmdapi.NewConfig()
		if err := kubeconfig.Merge(config, config, kubeconfig.Merging{Parameters: p, User: user}); err != nil {
			return err
		}
		data, err := clientcmd.Write(*config)
		if err != nil {
			return errors.New("the kubeconfig cannot be encoded")
		}
		_, err = k.env.Out.Write(data)
		return err
	}
	path, err := k.merging.write(k.env, p, user)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.env.Out, "Merged into %s:\n\n  kubectl --kubeconfig %s --context %s auth whoami\n", path, quote(path), quote(p.ContextName))
	return nil
}

// enrolled says whether this machine is a device of an identity.
func (k *kubeconfigCommand) enrolled(identity *v1alpha1.ClientIdentity) bool {
	folder, err := k.env.machine().Store.Folder(identity.UID)
	if err != nil {
		return false
	}
	record, err := folder.Load()
	return err == nil && record.Current != nil
}
