// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package access

import "testing"

func TestMessage(t *testing.T) {
	gaps := []Gap{{Message: "one"}, {Message: "two"}, {Message: "three"}, {Message: "four"}, {Message: "five"}}
	for n, want := range []string{"", "one", "one; two", "one; two; three", "one; two; three; and 1 more", "one; two; three; and 2 more"} {
		if got := Message(gaps[:n]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMessagesSayWhatToDo(t *testing.T) {
	w := wantIn("dev")
	tests := map[string]struct{ got, want string }{
		"a conflict in a namespace": {
			Message([]Conflict{{Want: w, Have: haveIn("dev", foreign)}}),
			`RoleBinding "dev/clientidentity:alice:dev:29f624cbf1" exists and is not owned by this ClientIdentity: delete it or rename binding "dev" in the spec`},
		"a conflict in the cluster": {
			Message([]Conflict{{Want: wantIn(""), Have: haveIn("", foreign)}}),
			`ClusterRoleBinding "clientidentity:alice:dev:29f624cbf1" exists and is not owned by this ClientIdentity: delete it or rename binding "dev" in the spec`},
		"a wait": {
			Message([]Wait{{Want: w, Have: haveIn("dev", deleting)}}),
			`RoleBinding "dev/clientidentity:alice:dev:29f624cbf1" is being deleted`},
		"a wait for a finalizer": {
			Message([]Wait{{Want: w, Have: haveIn("dev", deleting, finalizers)}}),
			`RoleBinding "dev/clientidentity:alice:dev:29f624cbf1" is being deleted but has finalizers: remove them`},
		"one that leaves": {
			Message([]Observed{haveIn("", deleting, finalizers)}),
			`ClusterRoleBinding "clientidentity:alice:dev:29f624cbf1" is being deleted but has finalizers: remove them`},
	}
	for name, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", name, test.got, test.want)
		}
	}
}
