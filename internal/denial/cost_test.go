// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"fmt"
	"testing"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/test/cost"
)

// reviews are those of an identity with as many certificates, and as many that are revoked, as there can be. The lookup itself is
// internal/authorizer's.
func reviews() map[string]cost.Call {
	identity := alice(func(id *v1alpha1.ClientIdentity) {
		for i := range 19 {
			id.Status.Certificates = append(id.Status.Certificates, v1alpha1.IssuedCertificate{Fingerprint: fmt.Sprintf("%064d", i), Groups: []string{"developers"}})
		}
		for i := range 64 {
			id.Spec.RevokedCertificates = append(id.Spec.RevokedCertificates, v1alpha1.RevokedCertificate{Fingerprint: fmt.Sprintf("%063da", i)})
		}
	})
	found := always{identity}
	all := map[string]cost.Call{}
	for name, review := range map[string]struct {
		subject Subject
		most    float64
	}{
		"listed":                    {user(first, "developers"), 1},
		"with the credential group": {user(other, "developers", group(nil)), 1},
		"with a group that is gone": {user(first, "admins"), 9},
	} {
		all[name] = cost.Call{Most: review.most, Do: func() {
			if _, err := Decide(review.subject, found, now); err != nil {
				panic(err)
			}
		}}
	}
	return all
}

// always finds one identity, whatever is asked for.
type always []*v1alpha1.ClientIdentity

func (a always) ByUID(string) (*v1alpha1.ClientIdentity, error) { return a[0], nil }

func (a always) ByFingerprint(string) ([]*v1alpha1.ClientIdentity, error) { return a, nil }

func TestCost(t *testing.T) { cost.Test(t, reviews()) }

func BenchmarkDecide(b *testing.B) { cost.Benchmark(b, reviews()) }
