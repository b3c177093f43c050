// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clientidentity/operator/test/bench/result"
)

// nothing stands in place of a table without results.
const nothing = "Not measured yet.\n"

// tables returns the tables of a page, by the names of their markers.
func tables(runs []benchmark) map[string]string {
	all := cellsOf(runs)
	return map[string]string{
		"runs":     runsTable(runs),
		"goals":    goalsTable(all),
		"speed":    speedTable(all),
		"latency":  latencyTable(all),
		"requests": requestsTable(all),
		"cpu":      cpuTable(all),
		"memory":   memoryTable(all),
		"paper":    paperTable(all),
	}
}

// table returns a table in Markdown: the first column reads from the left, so do those named in text; the others are numbers.
func table(text int, head []string, rows [][]string) string {
	if len(rows) == 0 {
		return nothing
	}
	rules := make([]string, len(head))
	for i := range rules {
		rules[i] = "---:"
		if i < text {
			rules[i] = "---"
		}
	}
	var out strings.Builder
	for _, row := range slices.Concat([][]string{head, rules}, rows) {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return out.String()
}

// cell formats a number, if there is one.
func cell(format string, value float64, measured bool) string {
	if !measured {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// count writes a number as people do: 10,000.
func count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func runsTable(runs []benchmark) string {
	var rows [][]string
	for _, run := range runs {
		m, s := run.Machine, run.Settings
		rows = append(rows, []string{
			fmt.Sprintf("[%s](performance/%s)", run.file, run.file), m.Date, m.Operator, m.Kubernetes, m.Go, m.Model,
			fmt.Sprint(m.CPUs), fmt.Sprintf("%.0f GiB", float64(m.MemoryBytes)/(1<<30)),
			count(s.Identities), fmt.Sprint(s.Workers), fmt.Sprint(s.Namespaces), fmt.Sprint(s.Bindings), fmt.Sprint(s.Rounds),
		})
	}
	return table(6, []string{
		"Result", "Date", "Operator", "Kubernetes", "Go", "Processor", "Cores", "Memory", "Identities", "At a time", "Namespaces", "Bindings each", "Rounds",
	}, rows)
}

func speedTable(all cells) string {
	var rows [][]string
	for _, size := range all.sizes() {
		for _, phase := range result.Phases {
			if phase.Whole() || phase == result.Alone {
				continue
			}
			row, told := []string{count(size), string(phase)}, false
			for _, subject := range result.Subjects {
				value, measured := all.median(key{size, phase, subject}, perSecond)
				told = told || measured
				row = append(row, cell("%.0f", value, measured))
			}
			if !told {
				continue
			}
			toBare, measured := all.median(key{size, phase, result.Operator}, ratio)
			toCertManager, also := all.quotient(key{size, phase, result.Operator}, key{size, phase, result.CertManager}, perSecond)
			rows = append(rows, append(row, cell("%.2f", toBare, measured), cell("%.1f", toCertManager, also)))
		}
	}
	return table(2, []string{
		"Identities", "Phase", "Operator", "Bare client", "Floor", "cert-manager", "Operator to bare client", "Operator to cert-manager",
	}, rows)
}

func latencyTable(all cells) string {
	var rows [][]string
	for _, size := range all.sizes() {
		for _, phase := range []result.Phase{result.Alone, result.Issue} {
			for _, subject := range result.Subjects {
				k := key{size, phase, subject}
				middle, measured := all.median(k, latency(p50))
				if !measured {
					continue
				}
				late, _ := all.median(k, latency(p99))
				last, _ := all.median(k, latency(longest))
				toBare, alsoBare := all.quotient(k, key{size, phase, result.Bare}, latency(p50))
				rows = append(rows, []string{
					count(size), string(phase), string(subject), cell("%.0f", middle, true), cell("%.0f", late, true), cell("%.0f", last, true),
					cell("%.1f", late/middle, middle > 0), cell("%.1f", toBare, alsoBare),
				})
			}
		}
	}
	return table(3, []string{"Identities", "Phase", "Who", "p50, ms", "p99, ms", "Longest, ms", "p99 to p50", "p50 to the bare client's"}, rows)
}

// requestsTable tells what the operator asks of the API server in each phase, with the most identities that there are results of.
func requestsTable(all cells) string {
	var rows [][]string
	names := map[string]bool{}
	sizes := all.sizes()
	if len(sizes) == 0 {
		return nothing
	}
	most := sizes[len(sizes)-1]
	head := []string{"Request"}
	var phases []result.Phase
	for _, phase := range result.Phases {
		k := key{most, phase, result.Operator}
		before := len(names)
		for _, m := range all[k] {
			for name := range m.Requests {
				names[name] = true
			}
		}
		if len(names) > before || len(all[k]) > 0 {
			phases = append(phases, phase)
			title := string(phase)
			if phase.Whole() {
				title += ", in all"
			}
			head = append(head, title)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := []string{name}
		for _, phase := range phases {
			value, measured := all.median(key{most, phase, result.Operator}, requests(name))
			row = append(row, cell("%.2f", value, measured && value >= 0.005))
		}
		if strings.Join(row[1:], "") != "" {
			rows = append(rows, row)
		}
	}
	return table(1, head, rows)
}

// shared are the processes that work for whoever is measured. The bare client and the floor work in the benchmark itself.
var shared = slices.DeleteFunc(slices.Clone(result.Processes), func(process string) bool { return process == string(result.Operator) })

// cpuTable tells what each subject costs: its own process, and those that work for it.
func cpuTable(all cells) string {
	var rows [][]string
	for _, size := range all.sizes() {
		for _, phase := range result.Phases {
			for _, subject := range result.Subjects {
				row, told := []string{count(size), string(phase), string(subject)}, false
				if phase.Whole() {
					row[1] += ", in all"
				}
				for _, process := range slices.Concat([]string{string(subject)}, shared) {
					value, measured := all.median(key{size, phase, subject}, cpu(process))
					told = told || measured
					row = append(row, cell("%.1f", value, measured))
				}
				if told {
					rows = append(rows, row)
				}
			}
		}
	}
	return table(3, slices.Concat([]string{"Identities", "Phase", "Who", "its process"}, shared), rows)
}

func memoryTable(all cells) string {
	var rows [][]string
	for _, size := range all.sizes() {
		for _, phase := range result.Phases {
			k := key{size, phase, result.Operator}
			live, measured := all.median(k, mebibytes(liveHeap))
			held, alsoHeld := all.median(k, mebibytes(resident))
			most, alsoMost := all.median(k, mebibytes(peak))
			if measured || alsoHeld || alsoMost {
				rows = append(rows, []string{
					count(size), string(phase), cell("%.0f MiB", live, measured), cell("%.0f MiB", held, alsoHeld), cell("%.0f MiB", most, alsoMost),
				})
			}
		}
	}
	return table(2, []string{"Identities", "Phase", "Live heap", "Resident", "Most ever resident"}, rows)
}
