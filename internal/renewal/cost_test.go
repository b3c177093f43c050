// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"testing"

	"github.com/clientidentity/operator/test/cost"
)

// plans are those of a pass over an identity in order, and of the passes that make a new certificate.
func plans() map[string]cost.Call {
	all := map[string]cost.Call{}
	for name, plan := range map[string]struct {
		in   Input
		most float64
	}{
		"keep":    {wellKept(), 11},
		"request": {wellKept(nothingPublished), 1},
		"follow":  {wellKept(nothingPublished, open), 1},
		"publish": {wellKept(nothingPublished, proven), 1},
		"renew":   {wellKept(now(renewsAt)), 11},
	} {
		all[name] = cost.Call{Most: plan.most, Do: func() { PlanFor(plan.in) }}
	}
	return all
}

func TestCost(t *testing.T) { cost.Test(t, plans()) }

func BenchmarkPlan(b *testing.B) { cost.Benchmark(b, plans()) }
