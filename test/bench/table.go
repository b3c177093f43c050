// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/clientidentity/operator/test/bench/result"
)

// row is what the rounds of one phase of one subject come to: medians.
type row struct {
	result.Measurement
	lowest, highest float64 // ratios
	rounds          int
}

// rows returns a row for each phase and subject that was measured.
func rows(d *result.Document) []row {
	var all []row
	for _, phase := range result.Phases {
		for _, subject := range result.Subjects {
			var rounds []result.Measurement
			for _, m := range d.Phases {
				if m.Phase == phase && m.Subject == subject {
					rounds = append(rounds, m)
				}
			}
			if len(rounds) > 0 {
				all = append(all, middleOf(rounds))
			}
		}
	}
	return all
}

// middleOf returns the medians of several rounds, number by number.
func middleOf(rounds []result.Measurement) row {
	number := func(of func(result.Measurement) float64) float64 { return median(rounds, of) }
	first := rounds[0]
	r := row{rounds: len(rounds), Measurement: result.Measurement{
		Phase: first.Phase, Subject: first.Subject, Identities: first.Identities,
		Seconds:           number(func(m result.Measurement) float64 { return m.Seconds }),
		PerSecond:         number(func(m result.Measurement) float64 { return m.PerSecond }),
		Ratio:             number(func(m result.Measurement) float64 { return m.Ratio }),
		LiveHeapBytes:     int64(number(func(m result.Measurement) float64 { return float64(m.LiveHeapBytes) })),
		ResidentBytes:     int64(number(func(m result.Measurement) float64 { return float64(m.ResidentBytes) })),
		PeakResidentBytes: int64(number(func(m result.Measurement) float64 { return float64(m.PeakResidentBytes) })),
		CPU:               medians(rounds, func(m result.Measurement) map[string]float64 { return m.CPU }),
		Requests:          medians(rounds, func(m result.Measurement) map[string]float64 { return m.Requests }),
	}}
	if first.Latency != nil {
		r.Latency = &result.Latency{
			P50: number(func(m result.Measurement) float64 { return m.Latency.P50 }),
			P99: number(func(m result.Measurement) float64 { return m.Latency.P99 }),
			Max: number(func(m result.Measurement) float64 { return m.Latency.Max }),
		}
	}
	for i := range first.Curve {
		r.Curve = append(r.Curve, result.Point{
			Identities: first.Curve[i].Identities, PerSecond: number(func(m result.Measurement) float64 { return m.Curve[i].PerSecond }),
		})
	}
	ratios := func(m result.Measurement) float64 { return m.Ratio }
	r.lowest, r.highest = ratios(slices.MinFunc(rounds, byRatio)), ratios(slices.MaxFunc(rounds, byRatio))
	return r
}

func byRatio(a, b result.Measurement) int {
	switch {
	case a.Ratio < b.Ratio:
		return -1
	case a.Ratio > b.Ratio:
		return 1
	}
	return 0
}

// medians returns the median of each number that any of the rounds has.
func medians(rounds []result.Measurement, of func(result.Measurement) map[string]float64) map[string]float64 {
	all := map[string]float64{}
	for _, m := range rounds {
		for name := range of(m) {
			all[name] = median(rounds, func(m result.Measurement) float64 { return of(m)[name] })
		}
	}
	return all
}

// table returns what was measured, for people.
func table(d *result.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d identities, %d at a time, %d role bindings each in %d namespaces, %d rounds (medians)\n",
		d.Settings.Identities, d.Settings.Workers, d.Settings.Bindings, d.Settings.Namespaces, d.Settings.Rounds)
	fmt.Fprintf(&b, "%d x %s, %.0f GB; Kubernetes %s, operator %s, %s\n\n",
		d.Machine.CPUs, d.Machine.Model, float64(d.Machine.MemoryBytes)/1e9, d.Machine.Kubernetes, d.Machine.Operator, d.Machine.Go)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tsubject\tseconds\ta second\tratio\tp50 ms\tp99 ms\tmax ms\trequests\tCPU ms:\toperator\tapiserver\tetcd\tcontrollers\tclient\tlive MB\tRSS MB\tpeak MB\t")
	all := rows(d)
	for _, r := range all {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%s\t", r.Phase, r.Subject, r.Seconds, number(r.PerSecond, "%.0f"), r.ratios())
		if r.Latency != nil {
			fmt.Fprintf(t, "%.0f\t%.0f\t%.0f\t", r.Latency.P50, r.Latency.P99, r.Latency.Max)
		} else {
			fmt.Fprint(t, "\t\t\t")
		}
		fmt.Fprintf(t, "%.1f\t\t", sum(r.Requests))
		for _, process := range result.Processes {
			fmt.Fprintf(t, "%s\t", number(r.CPU[process], "%.1f"))
		}
		for _, bytes := range []int64{r.LiveHeapBytes, r.ResidentBytes, r.PeakResidentBytes} {
			fmt.Fprintf(t, "%s\t", number(float64(bytes)/1e6, "%.0f"))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // to memory
	b.WriteString("\nRequests and CPU are for each identity; those of quiet and restart are of the whole phase. Who changes identities changes all at\n" +
		"once, so those of the operator wait for each other, while the bare client begins a few at a time: alone tells how long one takes.\n\n")
	for _, r := range all {
		b.WriteString(details(r))
	}
	return b.String()
}

// ratios returns the median ratio, and between which it was.
func (r row) ratios() string {
	if r.Ratio == 0 || r.rounds == 1 {
		return number(r.Ratio, "%.2f")
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", r.Ratio, r.lowest, r.highest)
}

// number returns a number, or nothing for none.
func number(n float64, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// negligible is how few requests for an identity are not named: leases, and watches that begin anew.
const negligible = 0.02

// details returns the requests of a row, the most first, and its curve.
func details(r row) string {
	names := slices.SortedFunc(maps.Keys(r.Requests), func(a, b string) int {
		if r.Requests[a] != r.Requests[b] {
			return int(1000*r.Requests[b]) - int(1000*r.Requests[a])
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		if count := r.Requests[name]; count >= negligible || count <= -negligible {
			parts = append(parts, fmt.Sprintf("%s %.2f", name, count))
		}
	}
	line := fmt.Sprintf("%s, %s: %s\n", r.Phase, r.Subject, strings.Join(parts, ", "))
	if len(r.Curve) > 0 {
		var speeds []string
		for _, point := range r.Curve {
			speeds = append(speeds, fmt.Sprintf("%.0f", point.PerSecond))
		}
		line += fmt.Sprintf("  a second, by tenths: %s\n", strings.Join(speeds, " "))
	}
	return line
}

func sum(requests map[string]float64) float64 {
	total := 0.0
	for _, count := range requests {
		total += count
	}
	return total
}

// sentence returns one measurement in one line.
func sentence(m result.Measurement) string {
	s := fmt.Sprintf("round %d, %s, %s: %d in %.1f s", m.Round, m.Subject, m.Phase, m.Identities, m.Seconds)
	if m.PerSecond > 0 {
		s += fmt.Sprintf(", %.0f/s", m.PerSecond)
	}
	if m.Ratio > 0 {
		s += fmt.Sprintf(", %.2f of the bare client", m.Ratio)
	}
	return s
}
