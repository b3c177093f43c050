// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/cost"
)

// reports are those of a pass that changes nothing, with as many certificates as a status lists, and of one that publishes.
func reports(t testing.TB) map[string]cost.Call {
	settled := input()
	settled.Credential.Schedule.RenewalTime = start.Add(40 * time.Minute)
	settled.Before = Compute(settled)
	settled.Before.Certificate = issued(time.Hour)
	for i := range 20 {
		settled.Before.Certificates = append(settled.Before.Certificates, v1alpha1.IssuedCertificate{
			Fingerprint: fmt.Sprint("f", i), Groups: []string{"developers", "team-a"}, Revision: int64(20 - i), NotBefore: at(0), NotAfter: at(time.Hour),
		})
	}
	settled.Identity.Status = settled.Before
	fresh := input()
	fresh.Credential.Published = published(t, 7, 0)
	after := Compute(fresh)
	return map[string]cost.Call{
		"an identity in order":    {Most: 122, Do: func() { Compute(settled) }},
		"events of none":          {Most: 1, Do: func() { Events(settled.Identity, &settled.Before) }},
		"a new certificate":       {Most: 87, Do: func() { Compute(fresh) }},
		"events of a new one":     {Most: 1, Do: func() { Events(fresh.Identity, &after) }},
		"when it changes by time": {Most: 6, Do: func() { NextChange(settled.Identity, &settled.Before, settled.Now) }},
	}
}

func TestCost(t *testing.T) { cost.Test(t, reports(t)) }

func BenchmarkReport(b *testing.B) { cost.Benchmark(b, reports(b)) }
