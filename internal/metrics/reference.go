// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics tells Prometheus how identities are and what became of them. What is now is read from the caches when it is
// scraped, so that it is never out of step with them and nothing of a deleted identity stays. What happened is counted where
// a status is written, without the name of the identity.
//
// Labels are bounded by what exists: the names of identities and of CAs in use, the signers of --allowed-signers, and reasons of
// the API. None holds a user name.
package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is the type of a metric.
type Type string

// Types of metrics.
const (
	Gauge     Type = "gauge"
	Counter   Type = "counter"
	Histogram Type = "histogram"
)

// Source says which replicas tell a metric.
type Source int

// Sources of metrics.
const (
	// EachReplica is what is read from the caches: all replicas say the same.
	EachReplica Source = iota
	// Leader is what is counted by the replica that does the work, since it started.
	Leader
	// Served is what each replica tells of itself.
	Served
	// Library is what each replica tells of itself by way of controller-runtime.
	Library
	// APIServer is what API servers tell of the operator.
	APIServer
)

// Metric describes a metric. docs/reference/metrics.md is generated from these.
type Metric struct {
	Name   string
	Type   Type
	Labels []string
	Source Source
	Help   string
}

// Labels.
const (
	labelIdentity       = "identity"
	labelCondition      = "condition"
	labelReason         = "reason"
	labelState          = "state"
	labelSigner         = "signer"
	labelIssuer         = "issuer"
	labelAuthorityKeyID = "authority_key_id"
	labelResult         = "result"
	labelType           = "type"
	labelVersion        = "version"
	labelDevice         = "device"
)

// What is now, for each identity.
var (
	identityState = Metric{"clientidentity_state", Gauge, []string{labelIdentity, labelState}, EachReplica,
		"1 for the state that an identity is in: Pending, Waiting, Stalled, Ready, AtRisk, Withdrawing or Withdrawn, as status.state says."}
	identityCondition = Metric{"clientidentity_condition", Gauge, []string{labelIdentity, labelCondition, labelReason}, EachReplica,
		"1 for a condition of the status that is True, 0 for one that is not, with its reason."}
	certificateNotBefore = Metric{"clientidentity_certificate_not_before_timestamp_seconds", Gauge, []string{labelIdentity}, EachReplica,
		"When the published certificate begins to be valid: signers set it back by some minutes."}
	certificateNotAfter = Metric{"clientidentity_certificate_not_after_timestamp_seconds", Gauge, []string{labelIdentity}, EachReplica,
		"When the published certificate ends."}
	certificateRenewal = Metric{"clientidentity_certificate_renewal_timestamp_seconds", Gauge, []string{labelIdentity}, EachReplica,
		"When the published certificate is renewed. There is none where renewing would gain no time."}
	accessUntil = Metric{"clientidentity_access_until_timestamp_seconds", Gauge, []string{labelIdentity}, EachReplica,
		"When the access ends, as spec.accessUntil says. There is none where it does not."}
	lastUsed = Metric{"clientidentity_last_used_timestamp_seconds", Gauge, []string{labelIdentity}, EachReplica,
		"When the API server was last called with a certificate, up to 66 minutes behind. There is none without audit events of a use."}
	deviceState = Metric{"clientidentity_device_state", Gauge, []string{labelIdentity, labelDevice, labelState}, EachReplica,
		"1 for the state that a device is in, where holders make the keys: Active, Suspended or Revoked, as status.devices says."}
	deviceNotAfter = Metric{"clientidentity_device_certificate_not_after_timestamp_seconds", Gauge, []string{labelIdentity, labelDevice}, EachReplica,
		"When the newest certificate of a device ends. The device renews it when it is used: one that is switched off does not, and that is nobody's fault."}
	boundBindings = Metric{"clientidentity_bound_bindings", Gauge, []string{labelIdentity}, EachReplica,
		"Role bindings that are in place."}
	failedAttempts = Metric{"clientidentity_issuance_failed_attempts", Gauge, []string{labelIdentity, labelReason}, EachReplica,
		"Attempts to get a certificate that failed in a row, with the reason of the last one. There is none where the last one did not fail."}
	pendingRequest = Metric{"clientidentity_pending_request_timestamp_seconds", Gauge, []string{labelIdentity, labelSigner}, EachReplica,
		"When the certificate request was made that has waited for its signer for more than five seconds."}
)

// What is now, for all.
var (
	issuerCertificates = Metric{"clientidentity_issuer_certificates", Gauge, []string{labelIssuer, labelAuthorityKeyID}, EachReplica,
		"Published certificates that a CA issued. CAs of one name differ in the identifier of their key."}
	buildInfo = Metric{"clientidentity_build_info", Gauge, []string{labelVersion}, Served,
		"1, with the version of the operator."}
)

// What happened.
var (
	issuances = Metric{"clientidentity_issuances_total", Counter, []string{labelSigner, labelResult, labelReason}, Leader,
		"Attempts to get a certificate. With result Published, the reason is why it was asked for: First, Due, Expired, Requested, " +
			"Revoked or Changed (spec, Secret or CA), or, of a device, Enrolled or Renewed; with result Failed, it is the reason of the condition CertificateIssued."}
	issuanceDuration = Metric{"clientidentity_issuance_duration_seconds", Histogram, []string{labelSigner}, Leader,
		"Time from the request for a certificate, in whole seconds, until it was published."}
	renewalDelay = Metric{"clientidentity_renewal_delay_seconds", Histogram, []string{labelSigner}, Leader,
		"Time from when a renewal was due until the new certificate was published."}
	revocations = Metric{"clientidentity_revocations_total", Counter, []string{labelResult, labelReason}, Leader,
		"Times that the condition RevocationComplete came to be Complete or Incomplete."}
	events = Metric{"clientidentity_events_total", Counter, []string{labelType, labelReason}, Leader,
		"Events about identities: Normal or Warning, with the reason. Kubernetes keeps the events themselves for an hour, and of many Normal ones at once not each is sent to it."}
	admissionDecisions = Metric{"clientidentity_admission_decisions_total", Counter, []string{labelResult}, Served,
		"Requests that the admission webhook Allowed, Denied for missing rights, refused as Invalid, or refused as Unanswered since the API server did not say what the requester may do."}
	denialEnforced = Metric{"clientidentity_denial_enforced", Gauge, nil, Leader,
		"1 where the API server was tried and denies revoked certificates, 0 where it does not, or could not be tried for a while. There is none without --authorization-webhook-bind-address, or before that is known."}
	authorizationReviews = Metric{"clientidentity_authorization_reviews_total", Counter, []string{labelResult, labelReason}, Served,
		"Requests of client certificates that the API server asked about: Denied, with the reason, NoOpinion, or Unanswered since the review could not be read."}
)

// Libraries returns the metrics of controller-runtime that alerts, dashboard and guides use.
func Libraries() []Metric {
	return []Metric{
		{"leader_election_master_status", Gauge, []string{"name"}, Library, `1 where the replica leads, 0 where it stands by; name is "client-identity-operator".`},
		{"controller_runtime_reconcile_total", Counter, []string{"controller", "result"}, Library, `Passes of the controller "clientidentity", with the result error, requeue, requeue_after or success.`},
		{"controller_runtime_reconcile_time_seconds", Histogram, []string{"controller"}, Library, `How long a pass of the controller "clientidentity" takes.`},
		{"controller_runtime_webhook_latency_seconds", Histogram, []string{"webhook"}, Library, `How long an answer takes: webhook is "/authorize" for reviews of the API server, and the path of another endpoint. There is none before the first one.`},
		{"workqueue_depth", Gauge, []string{"name", "controller", "priority"}, Library, `Identities that wait for a pass of the controller "clientidentity".`},
	}
}

// OfAPIServer returns the metrics of the API server that alerts and the dashboard use. docs/guides/deny.md has more of them.
func OfAPIServer() []Metric {
	return []Metric{
		{
			"apiserver_authorization_webhook_evaluations_fail_open_total", Counter, []string{"name", "result"}, APIServer,
			`Requests that were decided without an authorizer that did not answer: error or timeout; name is "client-identity-operator".`,
		},
	}
}

// Reference returns all metrics of the operator's own.
func Reference() []Metric { return slices.Concat(present(), past()) }

func present() []Metric {
	return []Metric{
		identityState, identityCondition, certificateNotBefore, certificateNotAfter, certificateRenewal, accessUntil, boundBindings,
		failedAttempts, pendingRequest, issuerCertificates, lastUsed, deviceState, deviceNotAfter,
	}
}

func past() []Metric {
	return []Metric{issuances, issuanceDuration, renewalDelay, revocations, events, admissionDecisions, authorizationReviews, denialEnforced, buildInfo}
}

func (m Metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil) }

func (m Metric) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (m Metric) histogram(buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets}, m.Labels)
}
