// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// replaceBlocks replaces what is between the markers of each block. A page that lacks one is an error: what was measured would not be told.
func replaceBlocks(page []byte, blocks map[string]string) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		begin, end := fmt.Appendf(nil, "<!-- begin: %s (make performance) -->\n", name), fmt.Appendf(nil, "<!-- end: %s -->\n", name)
		before, rest, found := bytes.Cut(page, begin)
		if !found {
			return nil, fmt.Errorf("the page has no line %q", bytes.TrimSpace(begin))
		}
		_, after, found := bytes.Cut(rest, end)
		if !found {
			return nil, fmt.Errorf("the page has no line %q after its begin", bytes.TrimSpace(end))
		}
		page = slices.Concat(before, begin, []byte("\n"+blocks[name]+"\n"), end, after)
	}
	return page, nil
}
