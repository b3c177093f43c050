// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// query is an expression, and the file that it stands in.
type query struct{ file, expression string }

// readQueries returns all queries: of the alerts, of the dashboards, and of the docs.
func readQueries(root string) ([]query, error) {
	var all []query
	for _, source := range []struct {
		pattern string
		extract func(content []byte) ([]string, error)
	}{
		{"config/prometheus/prometheus_rule.yaml", ofRules},
		{"config/grafana/*.json", ofDashboard},
		{"docs/*.md", ofDocs},
		{"docs/guides/*.md", ofDocs},
	} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(source.pattern)))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("there is no %s: has it moved?", source.pattern)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			expressions, err := source.extract(content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if len(expressions) == 0 && !strings.HasSuffix(file, ".md") {
				return nil, fmt.Errorf("%s has no query", file)
			}
			for _, expression := range expressions {
				all = append(all, query{file, expression})
			}
		}
	}
	return all, nil
}

// ofRules returns the expressions of a PrometheusRule.
func ofRules(content []byte) ([]string, error) {
	var object struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Expr string `yaml:"expr"`
				} `yaml:"rules"`
			} `yaml:"groups"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	var expressions []string
	for _, group := range object.Spec.Groups {
		for _, rule := range group.Rules {
			expressions = append(expressions, rule.Expr)
		}
	}
	return expressions, nil
}

// interval is what Grafana puts in for an interval.
var interval = regexp.MustCompile(`\$__(rate_interval|interval|range)`)

// ofDashboard returns what a dashboard of Grafana asks for, wherever it stands.
func ofDashboard(content []byte) ([]string, error) {
	var object any
	if err := json.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	var expressions []string
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				if text, ok := inner.(string); ok && key == "expr" {
					expressions = append(expressions, interval.ReplaceAllString(text, "5m"))
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(object)
	return expressions, nil
}

var promql = regexp.MustCompile("(?s)```promql\n(.*?)```")

// ofAPIServer is a section about metrics of the API server: test/audit and test/authorizationconfig compare them with a running one.
var ofAPIServer = regexp.MustCompile("(?s)\n## Metrics of the API server\n.*?\n## ")

// ofDocs returns the queries in the blocks of a page that are PromQL: one a line.
func ofDocs(content []byte) ([]string, error) {
	var expressions []string
	for _, block := range promql.FindAllSubmatch(ofAPIServer.ReplaceAll(content, nil), -1) {
		for line := range strings.SplitSeq(string(block[1]), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				expressions = append(expressions, line)
			}
		}
	}
	return expressions, nil
}
