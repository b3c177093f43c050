// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Each replica tells how identities are: each identity counts once.
const (
	states   = `max by (cluster, identity, state) (clientidentity_state)`
	notAfter = `max by (cluster, identity) (clientidentity_certificate_not_after_timestamp_seconds)`
	renewal  = `max by (cluster, identity) (clientidentity_certificate_renewal_timestamp_seconds)`
	until    = `max by (cluster, identity) (clientidentity_access_until_timestamp_seconds)`
)

// orZero makes a number of what has no series while there is none.
func orZero(expression string) string { return fmt.Sprintf("(%s) or vector(0)", expression) }

func inState(state string) string {
	return orZero(fmt.Sprintf(`count(max by (cluster, identity) (clientidentity_state{state=~%q}))`, state))
}

func now() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		count("Identities", "All that exist.", orZero(`count(max by (cluster, identity) (clientidentity_state))`), neutral),
		count("Ready", "Their credential is published and proven, and every binding is in place.", inState("Ready|AtRisk"), neutral),
		count("Wait for a person", "Nothing goes on until somebody changes something.", inState("Stalled"), none),
		count("On their way", "They become ready, or their access ends.", inState("Pending|Waiting|Withdrawing"), neutral),
		count("Withdrawn", "They have no access.", inState("Withdrawn"), neutral),
		count("Expired", "Their holders are locked out.", orZero(`count(`+notAfter+` <= time())`), none),
		count("Renewal overdue", "It was due more than an hour ago.", orZero(`count(`+renewal+` < time() - 3600)`), none),
		count("Leaders", "One replica of each cluster works.", orZero(`sum(leader_election_master_status{name="client-identity-operator"})`), some),
	}
}

func which() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		list("Expire within 7 days", "Those that are renewed before are left out.",
			`sort(`+notAfter+` - time() < 7 * 86400 unless on (cluster, identity) `+renewal+` > time())`, "Left", seconds, 8),
		list("Not ready, and why", "The reason of the condition Ready.",
			`max by (cluster, identity, reason) (clientidentity_condition{condition="Ready"}) == 0`, "Ready", number, 8),
		list("Access ends within 30 days", "As spec.accessUntil says.",
			`sort(`+until+` - time() > 0 < 30 * 86400)`, "Left", seconds, 8),
	}
}

// quantile returns a quantile of a histogram over time.
func quantile(q, histogram, by string) string {
	return fmt.Sprintf(`histogram_quantile(%s, sum by (%s, le) (rate(%s_bucket[$__rate_interval])))`, q, by, histogram)
}

func certificates() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		series("Issued", "Certificates that were published, by why they were asked for.", number,
			line{`sum by (reason) (increase(clientidentity_issuances_total{result="Published"}[$__rate_interval]))`, "{{reason}}"}),
		series("Failed", "Attempts to get a certificate that failed, by reason.", number,
			line{`sum by (reason) (increase(clientidentity_issuances_total{result="Failed"}[$__rate_interval])) > 0`, "{{reason}}"}),
		series("By CA", "Published certificates of each CA. A rotation shows as one line that takes over from another.", number,
			line{`sum by (issuer, authority_key_id) (max by (cluster, issuer, authority_key_id) (clientidentity_issuer_certificates))`, "{{issuer}} {{authority_key_id}}"}),
		series("From request to published", "Of nine in ten certificates, by signer.", seconds,
			line{quantile("0.9", "clientidentity_issuance_duration_seconds", "signer"), "{{signer}}"}),
		series("From due to renewed", "Of nine in ten renewals, by signer.", seconds,
			line{quantile("0.9", "clientidentity_renewal_delay_seconds", "signer"), "{{signer}}"}),
		series("Requests that wait", "For a signer, for more than five seconds; and how long the oldest has waited.", number,
			line{`count by (signer) (max by (cluster, identity, signer) (clientidentity_pending_request_timestamp_seconds))`, "{{signer}}"},
			line{`time() - min(clientidentity_pending_request_timestamp_seconds)`, "seconds of the oldest"}),
	}
}

func access() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		series("Identities by state", "", number, line{`count by (state) (` + states + `)`, "{{state}}"}),
		series("Role bindings", "In place, and identities of which one cannot be, since somebody else has its name.", number,
			line{`sum(max by (cluster, identity) (clientidentity_bound_bindings))`, "in place"},
			line{orZero(`count(max by (cluster, identity) (clientidentity_condition{condition="AccessBound", reason="BindingConflict"}))`), "in conflict"}),
		series("Revocations", "By what came of them.", number,
			line{`sum by (result, reason) (increase(clientidentity_revocations_total[$__rate_interval]))`, "{{result}} {{reason}}"}),
		series("Admission", "What the webhook decided. Unanswered: the API server did not say what the requester may do.", number,
			line{`sum by (result) (increase(clientidentity_admission_decisions_total[$__rate_interval]))`, "{{result}}"}),
		series("Warnings", "Events about identities that somebody should see to.", number,
			line{`sum by (reason) (increase(clientidentity_events_total{type="Warning"}[$__rate_interval])) > 0`, "{{reason}}"}),
	}
}

func denial() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		series("Denied or not", "Requests of client certificates that the API server asked about, a second, by what was answered.", number,
			line{`sum by (result, reason) (rate(clientidentity_authorization_reviews_total[$__rate_interval])) > 0`, "{{result}} {{reason}}"}),
		series("Time of an answer", "Nine in ten reviews, and 99 in a hundred, take no longer.", seconds,
			line{`histogram_quantile(0.9, sum by (le) (rate(controller_runtime_webhook_latency_seconds_bucket{webhook="/authorize"}[$__rate_interval])))`, "0.9"},
			line{`histogram_quantile(0.99, sum by (le) (rate(controller_runtime_webhook_latency_seconds_bucket{webhook="/authorize"}[$__rate_interval])))`, "0.99"}),
		series("Decided without the operator", "Of each API server, where Prometheus scrapes them. Revoked certificates are let through while this grows.", number,
			line{`sum by (cluster, instance, result) (increase(apiserver_authorization_webhook_evaluations_fail_open_total{name="client-identity-operator"}[$__rate_interval]))`, "{{instance}} {{result}}"}),
		series("Enforced", "1 where a certificate that is denied on purpose was denied, 0 where it was let through. Nothing where the endpoint is off.", number,
			line{`min by (cluster) (clientidentity_denial_enforced)`, "{{cluster}}"}),
	}
}

func operator() []cog.Builder[dashboard.Panel] {
	return []cog.Builder[dashboard.Panel]{
		series("Passes", "Over an identity, a second, by result.", number,
			line{`sum by (result) (rate(controller_runtime_reconcile_total{controller="clientidentity"}[$__rate_interval]))`, "{{result}}"}),
		series("Time of a pass", "Nine in ten take no longer.", seconds,
			line{`histogram_quantile(0.9, sum by (le) (rate(controller_runtime_reconcile_time_seconds_bucket{controller="clientidentity"}[$__rate_interval])))`, "0.9"}),
		series("Queue", "Identities that wait for a pass.", number,
			line{`sum(workqueue_depth{controller="clientidentity"})`, "waiting"}),
		series("Versions", "Replicas of each version.", number,
			line{`count by (version) (clientidentity_build_info)`, "{{version}}"}),
	}
}
