// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package namesake decides whose turn it is where several identities have one username: withdrawing one of them would not end
// what another one grants, so the oldest has it. Two that are bound to their credentials do not touch each other. It is pure.
package namesake

import "github.com/clientidentity/operator/api/v1alpha1"

// Older says whether a was created before b; of two created in the same second, the one whose name sorts first.
func Older(a, b *v1alpha1.ClientIdentity) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// KeepsWaiting says whether an identity keeps another one of its username waiting.
func KeepsWaiting(older, younger *v1alpha1.ClientIdentity) bool {
	harmless := older.Spec.BindTo == v1alpha1.BindToCredential && younger.Spec.BindTo == v1alpha1.BindToCredential
	return older.UID != younger.UID && !harmless && Older(older, younger)
}

// First returns the oldest of those that keep an identity waiting, or nil. Same are the identities of its username, itself
// among them or not.
func First(identity *v1alpha1.ClientIdentity, same []v1alpha1.ClientIdentity) *v1alpha1.ClientIdentity {
	var first *v1alpha1.ClientIdentity
	for i := range same {
		if KeepsWaiting(&same[i], identity) && (first == nil || Older(&same[i], first)) {
			first = &same[i]
		}
	}
	return first
}

// Younger returns the names of the identities that one of the same username may keep waiting.
func Younger(changed *v1alpha1.ClientIdentity, same []v1alpha1.ClientIdentity) []string {
	var names []string
	for i := range same {
		if same[i].UID != changed.UID && Older(changed, &same[i]) {
			names = append(names, same[i].Name)
		}
	}
	return names
}

// Freed returns the names of the identities that one kept waiting that is gone, and that nobody else does: mostly one. The
// others see later that they wait for another one: were each to look at once, many of one username would look as often as
// their square.
func Freed(gone *v1alpha1.ClientIdentity, left []v1alpha1.ClientIdentity) []string {
	var oldest, oldestByName *v1alpha1.ClientIdentity
	for i := range left {
		if oldest == nil || Older(&left[i], oldest) {
			oldest = &left[i]
		}
		if left[i].Spec.BindTo != v1alpha1.BindToCredential && (oldestByName == nil || Older(&left[i], oldestByName)) {
			oldestByName = &left[i]
		}
	}
	var names []string
	for i := range left {
		first := oldest
		if left[i].Spec.BindTo == v1alpha1.BindToCredential {
			first = oldestByName // two that are bound to their credentials do not touch each other
		}
		if KeepsWaiting(gone, &left[i]) && (first == nil || first.UID == left[i].UID || Older(&left[i], first)) {
			names = append(names, left[i].Name)
		}
	}
	return names
}
