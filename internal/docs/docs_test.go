// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs holds the tests of the guides: they say all that there is to say, and lead nowhere that does not exist.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// reasonRow is a row of a table of reasons.
var reasonRow = regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z]+)` \\|")

func TestTroubleshootingExplainsEveryReason(t *testing.T) {
	declared := declaredReasons(t)
	if len(declared) == 0 {
		t.Fatal("no reasons found in conditions.go: has it moved?")
	}
	var explained []string
	for _, match := range reasonRow.FindAllStringSubmatch(read(t, "docs/troubleshooting.md"), -1) {
		explained = append(explained, match[1])
	}
	for _, reason := range declared {
		if !slices.Contains(explained, reason) {
			t.Errorf("docs/troubleshooting.md has no row for the reason %s of api/v1alpha1/conditions.go", reason)
		}
	}
	for _, reason := range explained {
		if !slices.Contains(declared, reason) {
			t.Errorf("docs/troubleshooting.md explains the reason %s, which api/v1alpha1/conditions.go does not have", reason)
		}
	}
}

// declaredReasons returns the values of the constants Reason... of conditions.go.
func declaredReasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(name.Name, "Reason") {
				continue
			}
			literal, ok := spec.Values[i].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is not a string literal", name.Name)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, value)
		}
		return true
	})
	return reasons
}

// stateRow is a row of the table of states.
var stateRow = regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z]+)` \\|[^|]+\\|[^|]+\\|$")

func TestConceptsExplainEveryState(t *testing.T) {
	_, section, found := strings.Cut(read(t, "docs/concepts.md"), "\n## States\n")
	if !found {
		t.Fatal("docs/concepts.md has no section about states")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for _, match := range stateRow.FindAllStringSubmatch(section, -1) {
		explained = append(explained, match[1])
	}
	declared := strings.Split(regexp.MustCompile(`(?m)^// \+kubebuilder:validation:Enum=(Pending;.+)$`).FindStringSubmatch(read(t, "api/v1alpha1/status_types.go"))[1], ";")
	if !slices.Equal(explained, declared) {
		t.Errorf("docs/concepts.md explains the states %q, and api/v1alpha1/status_types.go has %q", explained, declared)
	}
}

// link is a link in Markdown.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "guides", "*.md"))
	if err != nil || len(guides) == 0 || len(more) == 0 {
		t.Fatalf("%d pages and %d guides found: %v", len(guides), len(more), err)
	}
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil || len(top) == 0 {
		t.Fatalf("%d pages found at the top: %v", len(top), err)
	}
	for _, guide := range slices.Concat(guides, more, top) {
		for _, match := range link.FindAllStringSubmatch(readFile(t, guide), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := guide
			if target != "" {
				file = filepath.Join(filepath.Dir(guide), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s leads nowhere", guide, match[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(readFile(t, file)), anchor) {
				t.Errorf("%s: %s has no such heading", guide, match[1])
			}
		}
	}
}

var (
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors returns the anchors of the headings, as GitHub makes them.
func anchors(markdown string) []string {
	var all []string
	for _, match := range heading.FindAllStringSubmatch(markdown, -1) {
		plain := notInAnchor.ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	return readFile(t, filepath.Join(root, path))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
