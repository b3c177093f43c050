// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/test/cost"
)

// decisions are those about a renewal, and about a request of somebody who may not ask, of an identity with as many devices as there can be.
func decisions(t testing.TB) map[string]cost.Call {
	renewal := newWorld(t)
	foreign := newWorld(t)
	foreign.request.Maker = holder.Maker{Username: "mallory@example.com"}
	for _, w := range []*world{renewal, foreign} {
		status := &w.identity.Status
		for i := len(status.Certificates); i < 20; i++ {
			fingerprint := fmt.Sprintf("%064d", i)
			status.Certificates = append(status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: fingerprint, Device: fmt.Sprint("device-", i), NotAfter: at(time.Hour)})
		}
		w.decide()
	}
	return map[string]cost.Call{
		"a renewal":            {Most: 250, Do: func() { renewal.decide() }},
		"somebody who may not": {Most: 250, Do: func() { foreign.decide() }},
	}
}

func TestCost(t *testing.T) { cost.Test(t, decisions(t)) }

func BenchmarkDecide(b *testing.B) { cost.Benchmark(b, decisions(b)) }
