// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
)

func TestRights(t *testing.T) {
	for _, cmd := range NewCommand(genericiooptions.NewTestIOStreamsDiscard(), clock.RealClock{}, "test").Commands() {
		rights, ok := RightsOf(cmd)
		if !ok {
			continue
		}
		for _, rules := range []string{rights.Cluster, rights.Namespace} {
			// What is tested is what the help says.
			for line := range strings.Lines(strings.TrimSpace(rules)) {
				if !strings.Contains(cmd.Long, "    "+strings.TrimSpace(line)) {
					t.Errorf("%s: its help lacks the line %q of its rights", cmd.Name(), line)
				}
			}
			parsed, err := Rules(rules, "alice", "alice@example.com")
			if err != nil {
				t.Errorf("%s: %v", cmd.Name(), err)
			}
			for _, rule := range parsed {
				if all := strings.Join(append(append(rule.Verbs, rule.Resources...), rule.ResourceNames...), " "); strings.ContainsAny(all, "*") || strings.Contains(all, NameInRights) {
					t.Errorf("%s: a rule is too wide, or names nothing: %s", cmd.Name(), all)
				}
			}
		}
	}
}
