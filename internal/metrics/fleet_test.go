// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"runtime"
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

// scrapeOf collects everything and throws it away, and returns how many samples that were.
func scrapeOf(present *Present) int {
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

// mostAllocations bounds what one identity costs a scrape: ten samples of about three allocations each.
const mostAllocations = 35

func TestAScrapeCostsAsMuchAsThereIs(t *testing.T) {
	allocations := func(size int) float64 {
		cached := fleet(size)
		present := presentAfter(cached, 0)
		samples := scrapeOf(present)
		if samples < 8*size || samples > 12*size+1 {
			t.Errorf("%d identities have %d samples", size, samples)
		}
		cached.lists = 0
		per := testing.AllocsPerRun(1, func() { scrapeOf(present) })
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

// mostScraped bounds, in bytes, what a scrape holds of each identity until it is written: what it is now, and a tenth.
const mostScraped = 1600

// held returns how many bytes a scrape of so many identities holds.
func held(t *testing.T, size int) int64 {
	t.Helper()
	registry := registryOf(t, presentAfter(fleet(size), 0))
	live := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := live()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	after := live()
	runtime.KeepAlive(registry)
	runtime.KeepAlive(families)
	if len(families) == 0 {
		t.Fatal("nothing was gathered")
	}
	return after - before
}

func TestAScrapeTakesFewBytes(t *testing.T) {
	const few, many = 200, 5200
	each := (held(t, many) - held(t, few)) / (many - few)
	t.Logf("a scrape holds %d bytes of an identity", each)
	if each > mostScraped {
		t.Errorf("a scrape holds %d bytes of an identity, and may hold %d", each, mostScraped)
	}
}

func BenchmarkScrapeOf5000(b *testing.B) {
	present := presentAfter(fleet(5000), 0)
	b.ReportAllocs()
	for b.Loop() {
		scrapeOf(present)
	}
}
