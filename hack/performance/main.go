// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Performance puts what runs of the benchmark measured into docs/performance.md: tables between markers, and plots as SVG. It reads
// every result in docs/performance, and the same results make the same bytes.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/clientidentity/operator/test/bench/result"
)

func main() {
	page := flag.String("page", "docs/performance.md", "The page whose tables are made.")
	results := flag.String("results", "docs/performance", "The folder with the results, as make bench writes them.")
	images := flag.String("images", "docs/images", "The folder for the plots.")
	flag.Parse()
	if err := run(*page, *results, *images); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run makes the tables of a page and its plots from a folder of results.
func run(page, results, images string) error {
	runs, err := read(results)
	if err != nil {
		return err
	}
	drawn, err := plots(runs)
	if err != nil {
		return err
	}
	var pictures []string
	for _, name := range plotNames {
		path := filepath.Join(images, name+".svg")
		svg, is := drawn[name]
		if !is { // of results that are gone
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if err := os.MkdirAll(images, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, svg, 0o644); err != nil {
			return err
		}
		pictures = append(pictures, name)
	}
	from, err := filepath.Rel(filepath.Dir(page), images)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	blocks := tables(runs)
	blocks["plots"] = pictureLines(pictures, filepath.ToSlash(from))
	after, err := replaceBlocks(before, blocks)
	if err != nil || bytes.Equal(before, after) {
		return err
	}
	return os.WriteFile(page, after, 0o644)
}

// run of the benchmark, with the name of its file.
type benchmark struct {
	*result.Document
	file string
}

// read returns the results of a folder, those with the fewest identities first.
func read(folder string) ([]benchmark, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var runs []benchmark
	for _, path := range paths {
		document, err := result.Read(path)
		if err != nil {
			return nil, err
		}
		if document.Settings.Identities == 0 || len(document.Phases) == 0 {
			return nil, fmt.Errorf("%s has no identities or no phases: is it a result of make bench?", path)
		}
		runs = append(runs, benchmark{Document: document, file: filepath.Base(path)})
	}
	slices.SortStableFunc(runs, func(a, b benchmark) int { return a.Settings.Identities - b.Settings.Identities })
	return runs, nil
}
