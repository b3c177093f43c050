// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package result_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clientidentity/operator/test/bench/result"
)

func document() *result.Document {
	return &result.Document{
		Machine: result.Machine{
			CPUs: 2, Model: "a processor", MemoryBytes: 8 << 30, Go: "go1.26", Kubernetes: "v1.36.3", Operator: "0123456", Date: "2026-11-26T18:00:00Z",
		},
		Settings: result.Settings{Identities: 1000, Workers: 16, Namespaces: 13, Bindings: 1, Rounds: 1},
		Phases: []result.Measurement{{
			Phase: result.Issue, Subject: result.Operator, Identities: 1000, Existing: 20, Round: 1, Seconds: 10, PerSecond: 100, Ratio: 0.9,
			Latency:  &result.Latency{P50: 100, P99: 200, Max: 250},
			Requests: map[string]float64{"create secrets": 1}, CPU: map[string]float64{"operator": 5.6},
			LiveHeapBytes: 1 << 20, ResidentBytes: 2 << 20, PeakResidentBytes: 3 << 20,
			Curve: []result.Point{{Identities: 100, PerSecond: 120}},
		}},
	}
}

// Who draws from it knows these names.
func TestTheDocumentHasTheNamesThatReadersKnow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "bench.json")
	if err := document().Write(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"machine", "cpus", "model", "memoryBytes", "go", "kubernetes", "operator", "date", "settings", "identities", "workers", "namespaces", "bindings", "rounds",
		"phases", "phase", "subject", "existing", "round", "seconds", "perSecond", "ratio", "latencyMilliseconds", "p50", "p99", "max", "requests",
		"create secrets", "cpuMilliseconds", "liveHeapBytes", "residentBytes", "peakResidentBytes", "curve",
	} {
		if !strings.Contains(string(content), `"`+name+`": `) {
			t.Errorf("no %q in\n%s", name, content)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	for range 2 { // the second replaces the first
		if err := document().Write(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := result.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, document()) {
		t.Errorf("got %+v", got)
	}
}

func TestWhatWasNotMeasuredIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	d := &result.Document{Phases: []result.Measurement{{Phase: result.Quiet, Subject: result.Operator}}}
	if err := d.Write(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ratio", "latencyMilliseconds", "liveHeapBytes", "residentBytes", "curve"} {
		if strings.Contains(string(content), name) {
			t.Errorf("%q in\n%s", name, content)
		}
	}
}

func TestAnotherFileIsNoDocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := os.WriteFile(path, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := result.Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
}
