// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// dryRun is the flag --dry-run, as kubectl has it.
type dryRun struct{ value string }

// addTo adds the flag to a command.
func (d *dryRun) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.value, "dry-run", "none", `Must be "none" or "server": with "server" the API server, admission included, says what it would do, and nothing is changed.`)
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "server"
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "server"}, cobra.ShellCompDirectiveNoFileComp))
}

// check returns what is wrong with the flag.
func (d *dryRun) check() error {
	if d.value != "none" && d.value != "server" {
		return fmt.Errorf("--dry-run=%s: it must be none or server", d.value)
	}
	return nil
}

// on says whether nothing is to be changed.
func (d *dryRun) on() bool { return d.value == "server" }

// suffix is what is said of a change that was not made.
func (d *dryRun) suffix() string {
	if d.on() {
		return " (server dry run)"
	}
	return ""
}

// mergePatch is a change of an identity: only what it names, and only of the very identity that was looked at.
type mergePatch struct {
	annotations map[string]string
	spec        map[string]any
	// exactly says that nobody may have written the identity since it was read: for lists, which a patch replaces.
	exactly bool
}

// apply changes an identity, and returns it as it is then. The error is a conflict where another one of that name was made meanwhile.
func (p mergePatch) apply(ctx context.Context, c client.Client, identity *v1alpha1.ClientIdentity, dry dryRun) (*v1alpha1.ClientIdentity, error) {
	metadata := map[string]any{"uid": identity.UID}
	if len(p.annotations) > 0 {
		metadata["annotations"] = p.annotations
	}
	if p.exactly {
		metadata["resourceVersion"] = identity.ResourceVersion
	}
	body := map[string]any{"metadata": metadata}
	if len(p.spec) > 0 {
		body["spec"] = p.spec
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("patch ClientIdentity %q: %w", identity.Name, err)
	}
	var options []client.PatchOption
	if dry.on() {
		options = append(options, client.DryRunAll)
	}
	changed := identity.DeepCopy()
	if err := c.Patch(ctx, changed, client.RawPatch(types.MergePatchType, data), options...); err != nil {
		if apierrors.IsConflict(err) {
			return nil, fmt.Errorf("patch ClientIdentity %q: somebody else changed it at the same time, or deleted and made it anew: look at it, and try again: %w", identity.Name, err)
		}
		return nil, fmt.Errorf("patch ClientIdentity %q: %w", identity.Name, err)
	}
	return changed, nil
}
