// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
)

func newVerifyCommand(env *Env) *cobra.Command {
	return needs(&cobra.Command{
		Use:   "verify NAME",
		Short: "Check the credential of an identity and its role bindings, one line for each check",
		Long: `Check the credential of an identity, and its role bindings, as they are in the cluster: that the Secret has what it should and belongs to
the identity; that the certificate is the one that the operator tells of, is valid, is for that user, those groups and that key, is not
revoked, and was issued by one of the cluster's client CAs; that the API server takes its holder for the user of the spec, over this
connection and with the published kubeconfig; and that each role binding is as asked for, and none is left over.

With privateKey.source: Holder the keys are on the holder's devices: what can be checked without one is, for each device. Where this machine
is one of them, or keeps the credential for a kubeconfig that renews itself, its certificate and key are checked, too.

The exit code is 1 where a check failed. The published kubeconfig may point at where this machine does not reach: run it where its holder is.
The CAs stand in a ConfigMap that not everybody may read (the Role extension-apiserver-authentication-reader in kube-system lets): without
it the chain is not checked by itself, and the authentication shows that it is right.`,
		Example: Example(
			"# Is everything in place?",
			"kubectl clientidentity verify alice",
			"",
			"# In a script",
			"kubectl clientidentity verify alice >/dev/null || echo 'alice is broken'"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: env.CompleteIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.verify(cmd.Context(), args[0])
		},
	}, Rights{Cluster: `
- apiGroups: [clientidentity.dev]
  resources: [clientidentities]
  verbs: [get]
  resourceNames: [NAME]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, clusterrolebindings]
  verbs: [list]
- apiGroups: [""]
  resources: [namespaces]   # where a role binding selects them
  verbs: [list]
`, Namespace: `
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
  resourceNames: [NAME-kubeconfig]
- apiGroups: [""]
  resources: [serviceaccounts]   # where holders make the keys
  verbs: [get]
  resourceNames: [clientidentity-NAME-enrolment]
`})
}

func (e *Env) verify(ctx context.Context, name string) error {
	c, err := e.Client()
	if err != nil {
		return err
	}
	identity, err := Identity(ctx, c, name)
	if err != nil {
		return err
	}
	gathered, err := e.gather(ctx, c, identity)
	if err != nil {
		return err
	}
	checks := judge(gathered)
	e.Printer().PrintChecks(checks)
	if bad := count(checks, Failed); bad > 0 {
		return fmt.Errorf("%d of %d checks of ClientIdentity %q failed", bad, len(checks), name)
	}
	return nil
}

// judge returns what the evidence says.
func judge(v *evidence) []Check {
	checks := []Check{checkObserved(v.identity)}
	switch {
	case access.End(v.identity, v.now) != nil:
		return append(checks, checkWithdrawn(v)...)
	case v.identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder:
		checks = append(checks, checkHolder(v)...)
	default:
		checks = append(checks, checkCredential(v)...)
	}
	return append(append(checks, checkBindings(v)...), checkMachine(v)...)
}

// checkObserved checks that the status speaks of the newest spec.
func checkObserved(identity *v1alpha1.ClientIdentity) Check {
	if identity.Status.ObservedGeneration < identity.Generation {
		o := unseen(identity)
		return failed("status", o.message, o.advice...)
	}
	message := "the operator has looked at the newest spec, and says " + string(identity.Status.State)
	switch found := obstacles(identity, identity.CreationTimestamp.Time); {
	case identity.Status.State == v1alpha1.ObservedReady, identity.Status.State == v1alpha1.ObservedWithdrawn:
		return passed("status", message)
	case len(found) > 0:
		return failed("status", fmt.Sprintf("%s: %s: %s", message, found[0].what, found[0].message), append(found[0].advice, "kubectl clientidentity status "+identity.Name)...)
	default:
		return failed("status", message, "kubectl clientidentity status "+identity.Name)
	}
}
