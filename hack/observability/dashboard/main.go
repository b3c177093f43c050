// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Dashboard prints the Grafana dashboard of config/grafana.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	built, err := build()
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(built)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// build returns the dashboard: what needs somebody comes first. Its schema is the one that every Grafana of today imports.
func build() (dashboard.Dashboard, error) { //nolint:staticcheck // the newer schema needs Grafana 12
	builder := dashboard.NewDashboardBuilder("Client identities"). //nolint:staticcheck // the same
									Uid("client-identity-operator").
									Description("Who can authenticate, until when, and what is in the way. Generated: see hack/observability/dashboard.").
									Tags([]string{"client-identity-operator", "security"}).
									Timezone(common.TimeZoneBrowser).
									Refresh("1m").
									Time("now-24h", "now").
									Tooltip(dashboard.DashboardCursorSyncCrosshair).
									WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"))
	for _, row := range []struct {
		title  string
		panels []cog.Builder[dashboard.Panel]
	}{
		{"Now", now()},
		{"Which", which()},
		{"Certificates", certificates()},
		{"Access", access()},
		{"Denial", denial()},
		{"The operator", operator()},
	} {
		builder.WithRow(dashboard.NewRowBuilder(row.title))
		for _, panel := range row.panels {
			builder.WithPanel(panel)
		}
	}
	return builder.Build()
}
