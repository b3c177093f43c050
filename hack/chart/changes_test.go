// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestTheChangesOfTheNewestVersionAreShown(t *testing.T) {
	const changelog = "# Changelog\n\n- not this\n\n## [2.0.0]\n\n### Added\n\n- One \"thing\",\n  on `two` lines.\n\n### Fixed\n\n- Another.\n\n## [1.0.0]\n\n### Added\n\n- Old.\n"
	const want = "name: x\n  artifacthub.io/changes: |\n    - kind: added\n      description: \"One \\\"thing\\\", on two lines.\"\n" +
		"    - kind: fixed\n      description: \"Another.\"\n"
	got, err := withChanges([]byte("name: x\n  artifacthub.io/changes: |\n    - of before\n"), []byte(changelog))
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestAVersionWithoutChangesIsRefused(t *testing.T) {
	if got, err := withChanges([]byte(changesKey), []byte("# Changelog\n\n## [2.0.0]\n\n## [1.0.0]\n\n- Old.\n")); err == nil {
		t.Errorf("got %q", got)
	}
}
