// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// completionTimeout bounds what somebody waits for after Tab.
const completionTimeout = 3 * time.Second

// Identity reads an identity. Where there is none of that name the error names those that may be meant, as far as they may be listed.
func Identity(ctx context.Context, c client.Client, name string) (*v1alpha1.ClientIdentity, error) {
	identity := &v1alpha1.ClientIdentity{}
	err := c.Get(ctx, client.ObjectKey{Name: name}, identity)
	switch {
	case apierrors.IsNotFound(err):
		list := &v1alpha1.ClientIdentityList{}
		if listErr := c.List(ctx, list); listErr != nil {
			return nil, fmt.Errorf("there is no ClientIdentity %q: %w", name, err)
		}
		return nil, fmt.Errorf("there is no ClientIdentity %q: %s", name, suggestion(name, list.Items))
	case err != nil:
		return nil, fmt.Errorf("read ClientIdentity %q: %w", name, err)
	}
	return identity, nil
}

// suggestion says which identities may be meant.
func suggestion(name string, all []v1alpha1.ClientIdentity) string {
	var users, similar []string
	for i := range all {
		switch {
		case all[i].Spec.Username == name:
			users = append(users, all[i].Name)
		case alike(name, all[i].Name):
			similar = append(similar, all[i].Name)
		}
	}
	slices.Sort(users)
	slices.Sort(similar)
	switch {
	case len(users) > 0:
		return "it is the user of " + strings.Join(users, ", ") + ": commands take the name of the identity"
	case len(similar) > 0:
		return "did you mean " + strings.Join(similar[:min(len(similar), 5)], ", ") + "?"
	case len(all) == 0:
		return "there are none in this cluster: see --context"
	}
	return "kubectl clientidentity list shows those that there are"
}

// alike says whether one name may be meant by the other: it is part of it, or differs in two characters at most.
func alike(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return (len(a) >= 3 && strings.Contains(b, a)) || (len(b) >= 3 && strings.Contains(a, b)) || distance(a, b) <= min(2, len(b)/2)
}

// distance counts the characters to insert, remove or replace to make one text of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// CompleteIdentity completes the name of an identity, for commands that take one as their first argument.
func (e *Env) CompleteIdentity(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	identities, err := e.identities(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for i := range identities {
		if strings.HasPrefix(identities[i].Name, toComplete) {
			names = append(names, cobra.CompletionWithDesc(identities[i].Name, identities[i].Spec.Username))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// identities lists them for completion, which does not wait long.
func (e *Env) identities(ctx context.Context) ([]v1alpha1.ClientIdentity, error) {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	c, err := e.Client()
	if err != nil {
		return nil, err
	}
	list := &v1alpha1.ClientIdentityList{}
	if err := c.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list ClientIdentities: %w", err)
	}
	return list.Items, nil
}
