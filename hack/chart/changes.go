// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// changesKey is the last annotation of Chart.yaml: what Artifact Hub shows as the changes of a version.
const changesKey = "  artifacthub.io/changes: |\n"

// withChanges returns Chart.yaml with the changes of the newest version in CHANGELOG.md.
func withChanges(metadata, changelog []byte) ([]byte, error) {
	before, _, found := bytes.Cut(metadata, []byte(changesKey))
	if !found {
		return nil, errors.New("the annotation artifacthub.io/changes is missing from Chart.yaml")
	}
	entries := changesOf(string(changelog))
	if len(entries) == 0 {
		return nil, errors.New("CHANGELOG.md says nothing of its newest version")
	}
	out := bytes.NewBuffer(append(before, changesKey...))
	for _, entry := range entries {
		fmt.Fprintf(out, "    - kind: %s\n      description: %s\n", entry.kind, strconv.Quote(entry.description))
	}
	return out.Bytes(), nil
}

// A change is one item of a changelog. Its kind is a heading of Keep a Changelog, as Artifact Hub writes it.
type change struct {
	kind, description string
}

// changesOf returns the changes in the first version of a changelog.
func changesOf(changelog string) []change {
	var changes []change
	versions, kind := 0, ""
	for line := range strings.Lines(changelog) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "## ") {
			versions++
		}
		if versions != 1 {
			continue
		}
		if heading, found := strings.CutPrefix(line, "### "); found {
			kind = strings.ToLower(heading)
		} else if item, found := strings.CutPrefix(line, "- "); found {
			changes = append(changes, change{kind: kind, description: plain(item)})
		} else if more, found := strings.CutPrefix(line, "  "); found && len(changes) > 0 {
			changes[len(changes)-1].description += " " + plain(strings.TrimSpace(more))
		}
	}
	return changes
}

// plain returns Markdown without the marks of code and emphasis: Artifact Hub shows text.
func plain(markdown string) string { return strings.NewReplacer("`", "", "**", "").Replace(markdown) }
