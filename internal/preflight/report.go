// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"slices"
)

// The format of the report: docs/operations.md has its fields. What is there stays; more may come.
const (
	// ReportVersion is the report's apiVersion.
	ReportVersion = "preflight.clientidentity.dev/v1"
	// ReportKind is its kind.
	ReportKind = "PreflightReport"
)

// Report is what all checks found. There is no secret in it.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// OperatorVersion is the version of the program that looked.
	OperatorVersion string `json:"operatorVersion"`
	// Result is fail where one of the checks has failed or was interrupted, else ok.
	Result Result    `json:"result"`
	Facts  Facts     `json:"facts"`
	Checks []Finding `json:"checks"`
}

// Facts are what is known of the cluster. What was not found out is not there.
type Facts struct {
	APIServer APIServerFacts `json:"apiServer"`
	// Caller is whom the API server takes the caller for.
	Caller string `json:"caller,omitempty"`
	// Installed says whether the operator is.
	Installed *bool `json:"installed,omitempty"`
	// ClockSkewSeconds is how far the API server's clock is ahead of the one here.
	ClockSkewSeconds *float64      `json:"clockSkewSeconds,omitempty"`
	Signer           SignerFacts   `json:"signer"`
	Kubeconfig       EndpointFacts `json:"kubeconfig"`
	Denial           string        `json:"denial,omitempty"`
	MissingRights    []Right       `json:"missingRights,omitempty"`
}

// APIServerFacts are about the API server that was asked.
type APIServerFacts struct {
	URL     string `json:"url"`
	Version string `json:"version,omitempty"`
}

// SignerFacts are about the signer.
type SignerFacts struct {
	Name string `json:"name"`
	// Signs says whether it issued a certificate.
	Signs *bool `json:"signs,omitempty"`
	// Issuer is the CA that issued it.
	Issuer string `json:"issuer,omitempty"`
	// MaxLifetimeSeconds is the longest lifetime that it issues, counted from the request on.
	MaxLifetimeSeconds int64 `json:"maxLifetimeSeconds,omitempty"`
	// MinLifetimeSeconds is what came of the shortest that can be asked for, ten minutes.
	MinLifetimeSeconds int64 `json:"minLifetimeSeconds,omitempty"`
	// BackdatedSeconds is how long before the request its certificates begin.
	BackdatedSeconds *int64 `json:"backdatedSeconds,omitempty"`
	// Authenticates says whether the API server takes its certificates.
	Authenticates *bool `json:"authenticates,omitempty"`
}

// EndpointFacts are what kubeconfigs would carry.
type EndpointFacts struct {
	Server string `json:"server,omitempty"`
	// Source is who said so: see status.server.source of a ClientIdentity.
	Source string `json:"source,omitempty"`
	// CAFingerprints are the SHA-256 of the certificates in the CA bundle; none where clients trust what their machine trusts.
	CAFingerprints []string `json:"caFingerprints,omitempty"`
	// Authenticates says whether a certificate gets through there.
	Authenticates *bool `json:"authenticates,omitempty"`
}

func newReport(options Options) *Report {
	return &Report{APIVersion: ReportVersion, Kind: ReportKind, OperatorVersion: options.Version, Checks: []Finding{}}
}

func (r *Report) add(finding Finding) { r.Checks = append(r.Checks, finding) }

// conclude says whether it works.
func (r *Report) conclude() {
	r.Result = OK
	if slices.ContainsFunc(r.Checks, func(f Finding) bool { return f.Result == Fail || f.Message == interrupted }) {
		r.Result = Fail
	}
}
