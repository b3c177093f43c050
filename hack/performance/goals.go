// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/clientidentity/operator/test/bench/result"
)

// goal is what the operator is to reach, and what it reaches with a number of identities.
type goal struct {
	text   string
	format string
	got    func(all cells, size int) (float64, bool)
}

// megabyte is a million bytes.
const megabyte = 1e6

// goals are those of the page, in its order.
var goals = []goal{
	{"as fast as the bare client", "%.2f of it", func(all cells, size int) (float64, bool) {
		return all.median(key{size, result.Issue, result.Operator}, ratio)
	}},
	{"three times as fast as cert-manager", "%.1f times", func(all cells, size int) (float64, bool) {
		return all.quotient(key{size, result.Issue, result.Operator}, key{size, result.Issue, result.CertManager}, perSecond)
	}},
	{"one identity alone: p50 at most twice that of the bare client", "%.1f times", func(all cells, size int) (float64, bool) {
		return all.quotient(key{size, result.Alone, result.Operator}, key{size, result.Alone, result.Bare}, latency(p50))
	}},
	{"one identity alone: p99 under five times p50", "%.1f times", func(all cells, size int) (float64, bool) {
		k := key{size, result.Alone, result.Operator}
		late, measured := all.median(k, latency(p99))
		middle, _ := all.median(k, latency(p50))
		return late / middle, measured && middle > 0
	}},
	{"less than 100 MB resident with 1,000 identities", "%.0f MB", func(all cells, size int) (float64, bool) {
		used, measured := all.median(key{size, result.Quiet, result.Operator}, inBytes(resident))
		return used / megabyte, measured && size == 1000
	}},
	{"less than 8 KB of live heap for each further identity", "%.1f KB", heapOfEach},
	{"256 MiB do for 10,000, at the start, too", "%.0f MiB at most", func(all cells, size int) (float64, bool) {
		return all.median(key{size, result.Restart, result.Operator}, mebibytes(peak))
	}},
}

// heapOfEach returns the kilobytes of live heap for each identity that this size has more than the one before.
func heapOfEach(all cells, size int) (float64, bool) {
	before := 0
	for _, other := range all.sizes() {
		if other < size {
			before = other
		}
	}
	now, measured := all.median(key{size, result.Quiet, result.Operator}, inBytes(liveHeap))
	then, also := all.median(key{before, result.Quiet, result.Operator}, inBytes(liveHeap))
	return (now - then) / float64(size-before) / 1000, measured && also
}

// goalsTable tells of each goal what was reached with each number of identities.
func goalsTable(all cells) string {
	sizes := all.sizes()
	head := []string{"Goal"}
	for _, size := range sizes {
		head = append(head, fmt.Sprintf("With %s", count(size)))
	}
	var rows [][]string
	for _, g := range goals {
		row := []string{g.text}
		for _, size := range sizes {
			value, measured := g.got(all, size)
			row = append(row, cell(g.format, value, measured))
		}
		rows = append(rows, row)
	}
	if len(sizes) == 0 {
		return nothing
	}
	return table(1, head, rows)
}
