// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Check says where rules, the dashboard or the docs ask Prometheus for what does not exist: a metric, a label, or a value of a label.
// What exists is what docs/reference/metrics.md says, which is generated from the code.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: check <root of the repository>")
		os.Exit(2)
	}
	problems, checked, err := checkAll(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d queries ask for what exists\n", checked)
}

// checkAll checks everything that names metrics, and returns how many queries that were.
func checkAll(root string) (problems []string, checked int, err error) {
	known, err := readReference(root)
	if err != nil {
		return nil, 0, err
	}
	queries, err := readQueries(root)
	if err != nil {
		return nil, 0, err
	}
	for _, q := range queries {
		for _, problem := range known.check(q.expression) {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", q.file, problem, q.expression))
		}
	}
	words, err := known.unknownWords(root)
	if err != nil {
		return nil, 0, err
	}
	return append(problems, words...), len(queries), nil
}

func read(root string, path ...string) (string, error) {
	content, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	return string(content), err
}
