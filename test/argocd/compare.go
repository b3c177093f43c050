// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package argocd

import (
	"fmt"
	"reflect"
)

// OutOfSync returns where a live object is not as a manifest says. What the manifest does not say, such as defaults, is not
// compared; lists are, whole.
func OutOfSync(desired, live any) []string { return differences("", desired, live) }

func differences(path string, desired, live any) []string {
	var found []string
	switch want := desired.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v instead of a map", path, live)}
		}
		for name := range want {
			found = append(found, differences(path+"."+name, want[name], have[name])...)
		}
	case []any:
		have, ok := live.([]any)
		if !ok || len(have) != len(want) {
			return []string{fmt.Sprintf("%s is %v instead of %v", path, live, desired)}
		}
		for i := range want {
			found = append(found, differences(fmt.Sprintf("%s[%d]", path, i), want[i], have[i])...)
		}
	default:
		if !reflect.DeepEqual(desired, live) {
			return []string{fmt.Sprintf("%s is %v (%T) instead of %v (%T)", path, live, live, desired, desired)}
		}
	}
	return found
}
