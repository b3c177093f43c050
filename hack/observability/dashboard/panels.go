// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Units of values, as Grafana names them.
const (
	number  = "short"
	seconds = "s"
)

// source is the Prometheus that the variable of the dashboard names.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// good says which values are green.
type good int

const (
	neutral good = iota
	// none is for what should be zero.
	none
	// some is for what should not be zero.
	some
)

func (g good) thresholds() *dashboard.ThresholdsConfigBuilder {
	steps := map[good][]dashboard.Threshold{
		neutral: {{Color: "text"}},
		none:    {{Color: "green"}, {Value: cog.ToPtr(1.0), Color: "red"}},
		some:    {{Color: "red"}, {Value: cog.ToPtr(1.0), Color: "green"}},
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps[g])
}

// count returns a panel with one number.
func count(title, description, expression string, is good) cog.Builder[dashboard.Panel] {
	return stat.NewPanelBuilder().
		Title(title).Description(description).Datasource(source()).Unit(number).Height(4).Span(3).
		ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Thresholds(is.thresholds()).
		WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Expr(expression).Instant())
}

// list returns a table with a line for each identity; the value is shown under the name that is given, and the labels as they are.
func list(title, description, expression, value, unit string, span uint32) cog.Builder[dashboard.Panel] {
	return table.NewPanelBuilder().
		Title(title).Description(description).Datasource(source()).Height(8).Span(span).
		WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Expr(expression).Format(prometheus.PromQueryFormatTable).Instant()).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "renameByName": map[string]string{"Value": value},
		}}).
		OverrideByName(value, []dashboard.DynamicConfigValue{{Id: "unit", Value: unit}})
}

// line is a query of a time series, and what its lines are called.
type line struct{ expression, legend string }

// series returns a panel with lines over time.
func series(title, description, unit string, lines ...line) cog.Builder[dashboard.Panel] {
	panel := timeseries.NewPanelBuilder().
		Title(title).Description(description).Datasource(source()).Unit(unit).Min(0).Height(8).Span(8).
		FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true))
	for i, l := range lines {
		panel.WithTarget(prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Expr(l.expression).LegendFormat(l.legend).Range())
	}
	return panel
}
