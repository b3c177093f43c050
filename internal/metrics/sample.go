// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/utils/ptr"
)

// sample is a gauge of a scrape. Prometheus' own (NewConstMetric) makes its labels and values anew for each: of an identity it held
// three kilobytes until all was written, and threw as much away. Here the samples of an identity share what they have alike.
type sample struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	value  *dto.Gauge
}

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric. What it hands out is not changed by anybody, as the interface asks for.
func (s *sample) Write(out *dto.Metric) error {
	out.Label, out.Gauge = s.labels, s.value
	return nil
}

var zero, one = &dto.Gauge{Value: ptr.To(0.0)}, &dto.Gauge{Value: ptr.To(1.0)}

func gaugeOf(value float64) *dto.Gauge {
	switch value {
	case 0:
		return zero
	case 1:
		return one
	}
	return &dto.Gauge{Value: &value}
}

// scrape makes the samples of one scrape.
type scrape struct {
	metrics chan<- prometheus.Metric
	// pairs are labels that many samples have.
	pairs map[[2]string]*dto.LabelPair
}

// label returns a label. That of an identity or a device is made once for its samples; see shared, too.
func label(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: &name, Value: &value}
}

// shared returns a label that many samples have.
func (s *scrape) shared(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if s.pairs[key] == nil {
		s.pairs[key] = label(name, value)
	}
	return s.pairs[key]
}

// labels returns labels as samples have them: in the order of their names.
func labels(pairs ...*dto.LabelPair) []*dto.LabelPair {
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return pairs
}

func (s *scrape) gauge(desc *prometheus.Desc, value float64, sorted []*dto.LabelPair) {
	s.metrics <- &sample{desc: desc, labels: sorted, value: gaugeOf(value)}
}
