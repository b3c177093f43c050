// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// fleet returns caches with that many identities, of which each tenth waits for its signer.
func fleet(size int) *caches {
	cached := &caches{}
	for i := range size {
		name := fmt.Sprint("identity-", i)
		identity := ready(name)
		if i%10 == 0 {
			identity.Status.Issuance = &v1alpha1.IssuanceStatus{CertificateSigningRequest: name, FailedAttempts: 1, LastFailureReason: v1alpha1.ReasonUnavailable}
			cached.request(name, signer, 0)
		}
		cached.identities = append(cached.identities, identity)
	}
	return cached
}

// scrape collects everything and throws it away, and returns how many samples that were.
func scrape(present *Present) int {
	metrics, counted := make(chan prometheus.Metric, 1000), make(chan int)
	go func() {
		count := 0
		for range metrics {
			count++
		}
		counted <- count
	}()
	present.Collect(metrics)
	close(metrics)
	return <-counted
}

// mostAllocations bounds what one identity costs a scrape: ten samples of about eight allocations each.
const mostAllocations = 120

func TestAScrapeCostsAsMuchAsThereIs(t *testing.T) {
	allocations := func(size int) float64 {
		cached := fleet(size)
		present := presentAfter(cached, 0)
		samples := scrape(present)
		if samples < 8*size || samples > 12*size+1 {
			t.Errorf("%d identities have %d samples", size, samples)
		}
		cached.lists = 0
		per := testing.AllocsPerRun(1, func() { scrape(present) })
		if cached.lists != 2 { // AllocsPerRun runs it once more
			t.Errorf("the caches are read %d times in two scrapes", cached.lists)
		}
		return per
	}
	small, large := allocations(500), allocations(5000)
	if large > 11*small {
		t.Errorf("a scrape of ten times as many identities takes %.1f times as many allocations", large/small)
	}
	if each := large / 5000; each > mostAllocations {
		t.Errorf("a scrape takes %.0f allocations for each identity", each)
	}
}

func BenchmarkScrapeOf5000(b *testing.B) {
	present := presentAfter(fleet(5000), 0)
	b.ReportAllocs()
	for b.Loop() {
		scrape(present)
	}
}
