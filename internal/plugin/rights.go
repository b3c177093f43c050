// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// The annotations of a command that keep its rights.
const (
	clusterRightsAnnotation   = "clientidentity.dev/cluster-rights"
	namespaceRightsAnnotation = "clientidentity.dev/namespace-rights"
)

// Placeholders in the rules of Rights: the name of the identity, and its user name.
const (
	NameInRights     = "NAME"
	UsernameInRights = "USERNAME"
)

// Rights are what the user of a command is to be allowed, and no more than that, as the rules of a role in YAML. The help of the command
// shows them, and tests give them to a user who has nothing else.
type Rights struct {
	// Cluster is for a ClusterRole with a ClusterRoleBinding.
	Cluster string
	// Namespace is for a Role in the namespace of the identity's Secret.
	Namespace string
	// Besides is a sentence about rights that depend on the identity.
	Besides string
}

// needs makes a command tell the rights that it needs, at the end of its description.
func needs(cmd *cobra.Command, rights Rights) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[clusterRightsAnnotation], cmd.Annotations[namespaceRightsAnnotation] = rights.Cluster, rights.Namespace
	cmd.Long = strings.TrimSpace(cmd.Long) + "\n\n" + rights.help()
	return cmd
}

// RightsOf returns the rights that a command tells of; ok is false where it tells of none.
func RightsOf(cmd *cobra.Command) (rights Rights, ok bool) {
	rights = Rights{Cluster: cmd.Annotations[clusterRightsAnnotation], Namespace: cmd.Annotations[namespaceRightsAnnotation]}
	return rights, rights != Rights{}
}

// help is what the description of a command says of its rights.
func (r Rights) help() string {
	var help strings.Builder
	help.WriteString("These rights are needed:\n")
	for _, part := range []struct{ rules, where string }{
		{r.Cluster, "# in a ClusterRole, with a ClusterRoleBinding"},
		{r.Namespace, "# in a Role in the namespace of the Secret, which is client-identities by default"},
	} {
		if part.rules != "" {
			help.WriteString("\n    " + part.where + "\n    " + strings.ReplaceAll(strings.TrimSpace(part.rules), "\n", "\n    ") + "\n")
		}
	}
	help.WriteString("\n" + textOr(r.Besides, "It takes no other right."))
	return help.String()
}

// Rules reads rules as Rights has them, for an identity of that name and user name.
func Rules(rules, name, username string) ([]rbacv1.PolicyRule, error) {
	var parsed []rbacv1.PolicyRule
	if err := yaml.UnmarshalStrict([]byte(rules), &parsed); err != nil {
		return nil, fmt.Errorf("read the rules of a role: %w", err)
	}
	placed := strings.NewReplacer(UsernameInRights, username, NameInRights, name)
	for i := range parsed {
		for j := range parsed[i].ResourceNames {
			parsed[i].ResourceNames[j] = placed.Replace(parsed[i].ResourceNames[j])
		}
	}
	return parsed, nil
}
