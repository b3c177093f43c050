// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Refusal says what a user is missing, all of it, as the rules that would grant it.
func Refusal(user, identity string, update bool, missing []Permission) string {
	var text strings.Builder
	fmt.Fprintf(&text, "ClientIdentity %q gives more than user %q holds. ", identity, user)
	if update {
		text.WriteString("A change that does not only take access away is checked like a new identity. ")
	}
	text.WriteString("An administrator can grant what is missing, as rules ")
	missing = slices.Clone(missing)
	slices.SortFunc(missing, Permission.Compare)
	for i, first := 0, true; i < len(missing); first = false {
		namespace := missing[i].Namespace
		if !first {
			text.WriteString("\nand ")
		}
		if namespace == "" {
			text.WriteString("of a ClusterRole, bound by a ClusterRoleBinding:")
		} else {
			fmt.Fprintf(&text, "of a Role in namespace %s, bound by a RoleBinding there:", namespace)
		}
		for i < len(missing) && missing[i].Namespace == namespace {
			var rule string
			rule, i = nextRule(missing, i)
			text.WriteString("\n- " + rule)
		}
	}
	return text.String()
}

// nextRule returns the rule for the permission at i and for those after it that differ in the name only, and where
// the next one begins.
func nextRule(permissions []Permission, i int) (string, int) {
	first := permissions[i]
	var names []string
	for ; i < len(permissions); i++ {
		p := permissions[i]
		if p.Name = first.Name; p != first || (permissions[i].Name == "") != (first.Name == "") {
			break
		}
		names = append(names, quote(permissions[i].Name))
	}
	rule := fmt.Sprintf("{apiGroups: [%s], resources: [%s], verbs: [%s]", quote(first.APIGroup), first.Resource, first.Verb)
	if first.Name != "" {
		rule += ", resourceNames: [" + strings.Join(names, ", ") + "]"
	}
	return rule + "}", i
}

// quote returns a string as YAML reads it: JSON is YAML.
func quote(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%q", s) // no string fails
	}
	return string(quoted)
}
