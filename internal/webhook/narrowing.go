// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

// Narrows says whether a change of the spec only takes away: whoever may update the identity may do that, without
// holding what it gives. Those changes are listed here; any other one, also of a field that is yet to be thought of, is
// not among them.
func Narrows(before, after *v1alpha1.ClientIdentitySpec) bool {
	// What remains different once everything that was narrowed is put back was changed in another way.
	rest := after.DeepCopy()
	if isSubset(after.Groups, before.Groups) {
		rest.Groups = before.Groups
	}
	if narrows(before.RoleBindings, after.RoleBindings, roleBindingName, roleBindingNarrows) {
		rest.RoleBindings = before.RoleBindings
	}
	if narrows(before.ClusterRoleBindings, after.ClusterRoleBindings, clusterRoleBindingName, clusterRoleBindingNarrows) {
		rest.ClusterRoleBindings = before.ClusterRoleBindings
	}
	if after.State == v1alpha1.StateWithdrawn {
		rest.State = before.State
	}
	if after.WhenDormant == v1alpha1.WithdrawDormant {
		rest.WhenDormant = before.WhenDormant
	}
	if notLater(before.AccessUntil, after.AccessUntil) {
		rest.AccessUntil = before.AccessUntil
	}
	if after.TTL.Duration <= before.TTL.Duration {
		rest.TTL = before.TTL
	}
	if notEarlier(before.RevokeIssuedBefore, after.RevokeIssuedBefore) {
		rest.RevokeIssuedBefore = before.RevokeIssuedBefore
	}
	if ptr.Deref(after.MaxDevices, holder.DefaultMaxDevices) <= ptr.Deref(before.MaxDevices, holder.DefaultMaxDevices) {
		rest.MaxDevices = before.MaxDevices
	}
	if isSubset(fingerprints(before), fingerprints(after)) {
		rest.RevokedCertificates = before.RevokedCertificates
	}
	return equality.Semantic.DeepEqual(before, rest)
}

// narrows says whether each binding was there before, by name, and gives no more than it gave.
func narrows[B any](before, after []B, name func(B) string, narrower func(before, after B) bool) bool {
	return !slices.ContainsFunc(after, func(b B) bool {
		i := slices.IndexFunc(before, func(earlier B) bool { return name(earlier) == name(b) })
		return i < 0 || !narrower(before[i], b)
	})
}

func roleBindingName(b v1alpha1.RoleBinding) string { return b.Name }

func clusterRoleBindingName(b v1alpha1.ClusterRoleBinding) string { return b.Name }

func roleBindingNarrows(before, after v1alpha1.RoleBinding) bool {
	if windowNarrows(before.BindingWindow, after.BindingWindow) {
		after.BindingWindow = before.BindingWindow
	}
	return equality.Semantic.DeepEqual(before, after)
}

func clusterRoleBindingNarrows(before, after v1alpha1.ClusterRoleBinding) bool {
	if windowNarrows(before.BindingWindow, after.BindingWindow) {
		after.BindingWindow = before.BindingWindow
	}
	return equality.Semantic.DeepEqual(before, after)
}

// windowNarrows says whether a binding exists at no time at which it did not exist before.
func windowNarrows(before, after v1alpha1.BindingWindow) bool {
	return notEarlier(before.ValidFrom, after.ValidFrom) && notLater(before.ValidUntil, after.ValidUntil)
}

// notLater says whether after ends no later than before; nil is no end.
func notLater(before, after *metav1.Time) bool {
	return before == nil || (after != nil && !after.After(before.Time))
}

// notEarlier says whether after begins no earlier than before; nil is the beginning of time.
func notEarlier(before, after *metav1.Time) bool {
	return before == nil || (after != nil && !after.Time.Before(before.Time))
}

// fingerprints returns those of the certificates that a spec revokes.
func fingerprints(spec *v1alpha1.ClientIdentitySpec) []string {
	var all []string
	for i := range spec.RevokedCertificates {
		all = append(all, spec.RevokedCertificates[i].Fingerprint)
	}
	return all
}

func isSubset(of, whole []string) bool {
	return !slices.ContainsFunc(of, func(element string) bool { return !slices.Contains(whole, element) })
}
