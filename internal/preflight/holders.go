// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/config"
)

// holderRole is the ClusterRole that holders and invitations are bound to: as it is, and as it is shipped.
type holderRole struct {
	given, shipped []Right
	err            error
}

func (p *probe) lookAtHolderRole(ctx context.Context) Finding {
	if !p.operator.installed() {
		return skip("not installed yet")
	}
	shipped, err := decode(config.Manifests, "rbac/holder_role.yaml")
	if err != nil || len(shipped) != 1 {
		return fail("the shipped ClusterRole %s cannot be read: %v", v1alpha1.HolderClusterRole, err)
	}
	var look holderRole
	if look.shipped, err = rightsOf(shipped[0]); err != nil {
		return fail("the shipped ClusterRole %s cannot be read: %v", v1alpha1.HolderClusterRole, err)
	}
	role := &rbacv1.ClusterRole{}
	if look.err = p.objects.Get(ctx, client.ObjectKey{Name: v1alpha1.HolderClusterRole}, role); look.err == nil {
		look.given = rightsOfRules(role.Rules)
	}
	return look.judge()
}

// judge says whether holders can ask for certificates, and whether they can do more.
func (l holderRole) judge() Finding {
	const again = "apply config/rbac, the chart or the installer again"
	without := func(rights, others []Right) []string {
		var names []string
		for _, right := range rights {
			if !slices.Contains(others, right) {
				names = append(names, right.String())
			}
		}
		slices.Sort(names)
		return names
	}
	missing, more := without(l.shipped, l.given), without(l.given, l.shipped)
	switch {
	case apierrors.IsForbidden(l.err):
		return skip("the caller may not see ClusterRole %s", v1alpha1.HolderClusterRole)
	case apierrors.IsNotFound(l.err):
		return fail("ClusterRole %s does not exist: no holder can ask for a certificate (privateKey.source: Holder)", v1alpha1.HolderClusterRole).fix(again)
	case l.err != nil:
		return fail("ClusterRole %s cannot be read: %v", v1alpha1.HolderClusterRole, l.err)
	case len(more) > 0:
		return fail("ClusterRole %s lets every holder, and whoever is invited, do more than it should: %s", v1alpha1.HolderClusterRole, strings.Join(more, ", ")).fix(again)
	case len(missing) > 0:
		return fail("ClusterRole %s does not let holders %s", v1alpha1.HolderClusterRole, strings.Join(missing, ", ")).fix(again)
	}
	return ok("holders can ask for certificates, and do nothing else by it")
}
