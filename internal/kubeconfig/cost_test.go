// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"testing"

	"github.com/clientidentity/operator/test/cost"
)

// calls are those of a publication, and of reading what was published.
func calls() map[string]cost.Call {
	p := parameters()
	certificatePEM, keyPEM := credential()
	p.CertificateAuthorityData = certificatePEM
	rendered := must(Render(p, certificatePEM, keyPEM))
	return map[string]cost.Call{
		"render": {Most: 624, Do: func() { must(Render(p, certificatePEM, keyPEM)) }},
		"read": {Most: 670, Do: func() {
			if _, _, _, err := Read(rendered); err != nil {
				panic(err)
			}
		}},
	}
}

func TestCost(t *testing.T) { cost.Test(t, calls()) }

func BenchmarkKubeconfig(b *testing.B) { cost.Benchmark(b, calls()) }
