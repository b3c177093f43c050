// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/clientidentity/operator/test/bench/result"
)

// key names a cell: what one subject did in one phase with so many identities.
type key struct {
	identities int
	phase      result.Phase
	subject    result.Subject
}

// cells has the measurements of each key, of all rounds and runs.
type cells map[key][]measurement

// measurement is one of a run.
type measurement struct {
	result.Measurement
	run int
}

func cellsOf(runs []benchmark) cells {
	all := cells{}
	for n, run := range runs {
		for i := range run.Phases {
			k := key{identities: run.Settings.Identities, phase: run.Phases[i].Phase, subject: run.Phases[i].Subject}
			all[k] = append(all[k], measurement{run.Phases[i], n})
		}
	}
	return all
}

// sizes returns the numbers of identities, the smallest first.
func (c cells) sizes() []int {
	var all []int
	for k := range c {
		all = append(all, k.identities)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// median returns the median of a number over the rounds; false where it was not measured. Of an even number it is the mean of
// the two in the middle.
func (c cells) median(k key, number func(*result.Measurement) (float64, bool)) (float64, bool) {
	var all []float64
	for i := range c[k] {
		if value, measured := number(&c[k][i].Measurement); measured {
			all = append(all, value)
		}
	}
	return middle(all)
}

func middle(all []float64) (float64, bool) {
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, true
}

// quotient returns how many times the number of one cell is that of another in the runs that measured both, and of several the median:
// from one run to the next the machine differs by more than the subjects do. It is false where no run did.
func (c cells) quotient(of, by key, number func(*result.Measurement) (float64, bool)) (float64, bool) {
	var all []float64
	seen := map[int]bool{}
	for i := range c[of] {
		run := c[of][i].run
		if seen[run] {
			continue
		}
		seen[run] = true
		a, measured := c.in(run, of).median(of, number)
		b, also := c.in(run, by).median(by, number)
		if measured && also && b > 0 {
			all = append(all, a/b)
		}
	}
	return middle(all)
}

// in returns one cell with the measurements of one run alone.
func (c cells) in(run int, k key) cells {
	return cells{k: slices.DeleteFunc(slices.Clone(c[k]), func(m measurement) bool { return m.run != run })}
}

func perSecond(m *result.Measurement) (float64, bool) { return m.PerSecond, m.PerSecond > 0 }

func ratio(m *result.Measurement) (float64, bool) { return m.Ratio, m.Ratio > 0 }

func latency(number func(*result.Latency) float64) func(*result.Measurement) (float64, bool) {
	return func(m *result.Measurement) (float64, bool) {
		if m.Latency == nil {
			return 0, false
		}
		return number(m.Latency), true
	}
}

func p50(l *result.Latency) float64     { return l.P50 }
func p99(l *result.Latency) float64     { return l.P99 }
func longest(l *result.Latency) float64 { return l.Max }

// requests counts one kind of request; a phase that counted others made none of it.
func requests(name string) func(*result.Measurement) (float64, bool) {
	return func(m *result.Measurement) (float64, bool) { return m.Requests[name], len(m.Requests) > 0 }
}

func cpu(process string) func(*result.Measurement) (float64, bool) {
	return func(m *result.Measurement) (float64, bool) {
		value, measured := m.CPU[process]
		return value, measured
	}
}

func inBytes(number func(*result.Measurement) int64) func(*result.Measurement) (float64, bool) {
	return func(m *result.Measurement) (float64, bool) { return float64(number(m)), number(m) > 0 }
}

func mebibytes(number func(*result.Measurement) int64) func(*result.Measurement) (float64, bool) {
	return func(m *result.Measurement) (float64, bool) { return float64(number(m)) / (1 << 20), number(m) > 0 }
}

func liveHeap(m *result.Measurement) int64 { return m.LiveHeapBytes }
func resident(m *result.Measurement) int64 { return m.ResidentBytes }
func peak(m *result.Measurement) int64     { return m.PeakResidentBytes }
