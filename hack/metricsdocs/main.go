// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Metricsdocs prints docs/reference/metrics.md, from the metrics that the operator has.
package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clientidentity/operator/internal/metrics"
)

const head = `# Metrics

<!-- Generated from internal/metrics by make docs: do not edit. -->

What the operator tells Prometheus of identities, beside the metrics of controller-runtime and of Go.
[Monitoring](../guides/monitoring.md) has queries, alerts and a dashboard.

- **What is now** is read from the caches at each scrape. Each replica tells it, the leader or not, so that an end is seen while no
  replica leads: take ` + "`max by (identity)`" + `, or each identity counts twice. Nothing of a deleted identity stays.
- **What happened** is counted by the replica that did it, since it started, without the name of the identity: take
  ` + "`sum(increase(...))`" + ` over the replicas.
- **Labels** are bounded by what exists: ` + "`identity`" + ` is the name of a ClientIdentity (no user name), ` + "`signer`" + ` one of
  ` + "`--allowed-signers`" + ` or ` + "`other`" + `, ` + "`issuer`" + ` and ` + "`authority_key_id`" + ` those of a CA in use, ` + "`reason`" + ` one of
  [Troubleshooting](../troubleshooting.md). An identity has 8 to 14 series in each replica.
- A timestamp is in seconds since 1970: ` + "`metric - time()`" + ` is the time that is left.
`

func main() {
	fmt.Print(head)
	for _, section := range []struct {
		title  string
		source metrics.Source
	}{
		{"What is now", metrics.EachReplica},
		{"What happened", metrics.Leader},
		{"What a replica tells of itself", metrics.Served},
		{"Of controller-runtime", metrics.Library},
		{"Of the API server", metrics.APIServer},
	} {
		fmt.Printf("\n## %s\n\n| Metric | Type | Labels | What it says |\n| --- | --- | --- | --- |\n", section.title)
		for _, metric := range slices.Concat(metrics.Reference(), metrics.Libraries(), metrics.OfAPIServer()) {
			if metric.Source == section.source {
				fmt.Printf("| `%s` | %s | %s | %s |\n", metric.Name, metric.Type, labels(metric.Labels), metric.Help)
			}
		}
	}
}

func labels(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
