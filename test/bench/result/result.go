// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package result is what a run of make bench writes and what draws from it reads: one JSON document for each run.
package result

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Phase is what was done to the identities.
type Phase string

// The phases. Each but Issue and Alone begins with identities that are there and ready.
const (
	// Issue makes new identities, as many at a time as the settings say.
	Issue Phase = "issue"
	// Renew asks for a new certificate of each.
	Renew Phase = "renew"
	// Groups changes the groups of each, which needs a new certificate.
	Groups Phase = "groups"
	// Bindings changes the role bindings of each, which needs none.
	Bindings Phase = "bindings"
	// Withdraw ends the access of each.
	Withdraw Phase = "withdraw"
	// Activate gives it back: all is issued again.
	Activate Phase = "activate"
	// Delete deletes each, until what belonged to it is collected.
	Delete Phase = "delete"
	// Quiet changes nothing for a while. What it counts is of the whole phase, not for each identity.
	Quiet Phase = "quiet"
	// Restart ends the operator and starts it again. What it counts is of the whole phase, too.
	Restart Phase = "restart"
	// Alone makes one new identity after the other.
	Alone Phase = "alone"
)

// Phases are all phases, in the order of a table.
var Phases = []Phase{Issue, Renew, Groups, Bindings, Withdraw, Activate, Delete, Quiet, Restart, Alone}

// Whole says whether requests and CPU of the phase are those of the whole phase, rather than for each identity.
func (p Phase) Whole() bool { return p == Quiet || p == Restart }

// Subject is who did it.
type Subject string

// The subjects.
const (
	// Operator is the operator in a process of its own, as shipped.
	Operator Subject = "operator"
	// Bare is a client that makes the same calls with the operator's account and rights, and nothing else.
	Bare Subject = "bare"
	// Floor is a client that makes only those calls without which there is no credential: no custom resource, no event.
	Floor Subject = "floor"
	// CertManager is cert-manager, which does less: no approval, no proof, no role bindings.
	CertManager Subject = "cert-manager"
)

// Subjects are all subjects, in the order of a table.
var Subjects = []Subject{Operator, Bare, Floor, CertManager}

// Document is a run.
type Document struct {
	Machine  Machine       `json:"machine"`
	Settings Settings      `json:"settings"`
	Phases   []Measurement `json:"phases"`
}

// Machine is where it ran.
type Machine struct {
	CPUs        int    `json:"cpus"`
	Model       string `json:"model"`
	MemoryBytes int64  `json:"memoryBytes"`
	Go          string `json:"go"`
	Kubernetes  string `json:"kubernetes"`
	// Operator is the operator's version, or the commit that it was built from.
	Operator string `json:"operator"`
	// Date is when the run began, as RFC 3339 has it.
	Date string `json:"date"`
}

// Settings are what was asked for.
type Settings struct {
	// Identities is how many there are in each phase and round.
	Identities int `json:"identities"`
	// Workers is how many are worked on at a time, by every subject.
	Workers int `json:"workers"`
	// Namespaces is how many the bindings are spread over.
	Namespaces int `json:"namespaces"`
	// Bindings is how many role bindings an identity has.
	Bindings int `json:"bindings"`
	Rounds   int `json:"rounds"`
}

// Measurement is what one subject took for one phase of one round.
type Measurement struct {
	Phase   Phase   `json:"phase"`
	Subject Subject `json:"subject"`
	// Identities is how many it was about.
	Identities int `json:"identities"`
	// Existing is how many there were besides, when it began.
	Existing int `json:"existing"`
	// Round counts from 1.
	Round     int     `json:"round"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// Ratio is that of the operator's identities a second to the bare client's of the same phase and round, where there are both.
	Ratio float64 `json:"ratio,omitempty"`
	// Latency is of each identity: from the change to its end.
	Latency *Latency `json:"latencyMilliseconds,omitempty"`
	// Requests counts requests that the API server answered, by verb and resource ("create certificatesigningrequests",
	// "update certificatesigningrequests/approval"): for each identity, or of the whole phase (see Whole).
	Requests map[string]float64 `json:"requests,omitempty"`
	// CPU is milliseconds of the processor by process: for each identity, or of the whole phase.
	CPU map[string]float64 `json:"cpuMilliseconds,omitempty"`
	// LiveHeapBytes is what the operator's garbage collector found in use last; ResidentBytes is its memory at the end of the phase.
	LiveHeapBytes int64 `json:"liveHeapBytes,omitempty"`
	ResidentBytes int64 `json:"residentBytes,omitempty"`
	// PeakResidentBytes is the most memory that its process had, ever.
	PeakResidentBytes int64 `json:"peakResidentBytes,omitempty"`
	// Curve is the speed within the phase, for each tenth of the identities.
	Curve []Point `json:"curve,omitempty"`
}

// Latency tells how long identities took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Point is the speed of those identities that came after the point before.
type Point struct {
	// Identities is how many were done by then.
	Identities int     `json:"identities"`
	PerSecond  float64 `json:"perSecond"`
}

// Processes are those that CPU names, in the order of a table.
var Processes = []string{"operator", "kube-apiserver", "etcd", "kube-controller-manager", "client"}

// Write writes the document to a file, whole or not at all, and makes its folder.
func (d *Document) Write(path string) error {
	content, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, append(content, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// Read reads a document from a file.
func Read(path string) (*Document, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Document{}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("%s is no result of a run: %w", path, err)
	}
	return d, nil
}
