// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// metric is one that exists.
type metric struct {
	kind   string
	labels []string
	// values are the words that a label may have as its value.
	values string
}

// reference is all that exists.
type reference struct {
	metrics map[string]metric
	// constants are the words that the API has for reasons and conditions.
	constants map[string]bool
}

// nameLabel is where Prometheus keeps the name of a metric.
const nameLabel = "__name__"

// targetLabels are those that a scrape adds, and the one that tells clusters apart.
var targetLabels = []string{"cluster", "job", "instance", "namespace", "pod", "service", "endpoint", "container"}

// free are labels whose values are names.
var free = []string{"identity", "signer", "issuer", "authority_key_id", "version", "le"}

var (
	row      = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| (.*?) \\| (.*) \\|$")
	constant = regexp.MustCompile(`(?m)^\s+(?:Reason|Condition)\w+ = "(\w+)"|^const Reason\w+ = "(\w+)"`)
	word     = regexp.MustCompile(`\w+`)
	// metricWord is what looks like a metric of ours in a text, and not like the name of a file of the plugin.
	metricWord = regexp.MustCompile(`(?:^|[^-\w])(clientidentity_\w+)`)
)

// readReference reads what exists.
func readReference(root string) (*reference, error) {
	text, err := read(root, "docs", "reference", "metrics.md")
	if err != nil {
		return nil, err
	}
	known := &reference{metrics: map[string]metric{}, constants: map[string]bool{}}
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		names := word.FindAllString(match[3], -1)
		known.metrics[match[1]] = metric{kind: match[2], labels: names, values: match[4]}
	}
	api, err := read(root, "api", "v1alpha1", "conditions.go")
	if err != nil {
		return nil, err
	}
	for _, match := range constant.FindAllStringSubmatch(api, -1) {
		known.constants[match[1]+match[2]] = true
	}
	if len(known.metrics) == 0 || len(known.constants) == 0 {
		return nil, errors.New("no metrics in docs/reference/metrics.md, or no reasons in api/v1alpha1/conditions.go: have they moved?")
	}
	return known, nil
}

// find returns the metric that a series belongs to, and its labels.
func (r *reference) find(series string) (metric, bool) {
	if m, ok := r.metrics[series]; ok && m.kind != "histogram" {
		return m, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if m, ok := r.metrics[strings.TrimSuffix(series, suffix)]; ok && m.kind == "histogram" && strings.HasSuffix(series, suffix) {
			if suffix == "_bucket" {
				m.labels = append(slices.Clone(m.labels), "le")
			}
			return m, true
		}
	}
	return metric{}, false
}

// check returns what a query asks for that does not exist.
func (r *reference) check(expression string) []string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			problems = append(problems, r.checkSelector(n)...)
		case *parser.AggregateExpr:
			problems = append(problems, r.checkLabels(n, n.Grouping)...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				problems = append(problems, r.checkLabels(n, n.VectorMatching.MatchingLabels)...)
			}
		}
		return nil
	})
	return problems
}

func (r *reference) checkSelector(selector *parser.VectorSelector) []string {
	found, ok := r.find(selector.Name)
	if !ok {
		return []string{fmt.Sprintf("there is no metric %q", selector.Name)}
	}
	var problems []string
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name == nameLabel || slices.Contains(targetLabels, matcher.Name) {
			continue
		}
		if !slices.Contains(found.labels, matcher.Name) {
			problems = append(problems, fmt.Sprintf("%s has no label %q", selector.Name, matcher.Name))
		} else if !slices.Contains(free, matcher.Name) {
			problems = append(problems, r.checkValues(selector.Name, found, matcher)...)
		}
	}
	return problems
}

// checkValues says which values a label never has: those that neither the description nor the API has a word for.
func (r *reference) checkValues(name string, found metric, matcher *labels.Matcher) []string {
	allowed := word.FindAllString(found.values, -1)
	values := []string{matcher.Value}
	if matcher.Type == labels.MatchRegexp || matcher.Type == labels.MatchNotRegexp {
		values = strings.Split(matcher.Value, "|")
	}
	var problems []string
	for _, value := range values {
		quoted := strings.Contains(found.values, `"`+value+`"`)
		if !quoted && !slices.Contains(allowed, value) && !r.constants[value] {
			problems = append(problems, fmt.Sprintf("%s never has %s=%q", name, matcher.Name, value))
		}
	}
	return problems
}

// checkLabels says which labels none of the metrics in an expression has.
func (r *reference) checkLabels(expression parser.Node, names []string) []string {
	there := map[string]bool{}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			if found, ok := r.find(selector.Name); ok {
				for _, label := range found.labels {
					there[label] = true
				}
			}
		}
		return nil
	})
	var problems []string
	for _, name := range names {
		if !there[name] && !slices.Contains(targetLabels, name) {
			problems = append(problems, fmt.Sprintf("nothing has the label %q", name))
		}
	}
	return problems
}

// unknownWords says which metrics of ours the docs name, and do not exist.
func (r *reference) unknownWords(root string) ([]string, error) {
	var problems []string
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/guides/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := read(file)
			if err != nil {
				return nil, err
			}
			unknown := map[string]bool{}
			for _, found := range metricWord.FindAllStringSubmatch(text, -1) {
				name := found[1]
				if _, ok := r.find(name); !ok && r.metrics[name].kind == "" {
					unknown[name] = true
				}
			}
			for _, name := range slices.Sorted(maps.Keys(unknown)) {
				problems = append(problems, fmt.Sprintf("%s: there is no metric %q", file, name))
			}
		}
	}
	return problems, nil
}
