// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/cost"
)

// steps are those of an issuance, and the hash that each pass takes of what is asked for.
func steps(t testing.TB) map[string]cost.Call {
	key := testKey(t)
	request := must(NewRequest(key, alice))
	chain := certificateFor(t, key.Public(), alice)
	issued := must(ParseIssued(chain))
	spec := &v1alpha1.ClientIdentitySpec{Username: alice.Username, Groups: alice.Groups}
	return map[string]cost.Call{
		"hash of what is asked for": {Most: 12, Do: func() { RequestHashOf(spec, "uid") }},
		"make a request":            {Most: 265, Do: func() { must(NewRequest(key, alice)) }},
		"verify it":                 {Most: 165, Do: func() { must(struct{}{}, VerifyRequest(request, alice, key.Public())) }},
		"read a certificate":        {Most: 110, Do: func() { must(ParseIssued(chain)) }},
		"check it":                  {Most: 25, Do: func() { must(struct{}{}, issued.Check(key.Public(), alice, now)) }},
	}
}

func TestCost(t *testing.T) { cost.Test(t, steps(t)) }

func BenchmarkSteps(b *testing.B) { cost.Benchmark(b, steps(b)) }
