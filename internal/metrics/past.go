// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/report"
)

// Past counts what happened.
type Past struct {
	signers              Signers
	issuances            *prometheus.CounterVec
	issuanceDuration     *prometheus.HistogramVec
	renewalDelay         *prometheus.HistogramVec
	revocations          *prometheus.CounterVec
	events               *prometheus.CounterVec
	admissionDecisions   *prometheus.CounterVec
	authorizationReviews *prometheus.CounterVec
	denialEnforced       *prometheus.GaugeVec
	buildInfo            prometheus.Gauge
}

// failures are the reasons that an attempt fails for.
var failures = []string{
	v1alpha1.ReasonDenied, v1alpha1.ReasonSignerFailed, v1alpha1.ReasonSignerNotServing, v1alpha1.ReasonRequestRejected,
	v1alpha1.ReasonApprovalForbidden, v1alpha1.ReasonRequestLost, v1alpha1.ReasonCertificateRejected, v1alpha1.ReasonNotAccepted,
	v1alpha1.ReasonOutlivesAccess, v1alpha1.ReasonUnavailable,
}

// NewPast returns counters at zero. They are there from the start, so that the first increase is one.
func NewPast(signers Signers, version string) *Past {
	p := &Past{
		signers:   signers,
		issuances: issuances.counter(),
		// Kubernetes' signer takes milliseconds; after ten minutes a signer counts as not serving.
		issuanceDuration: issuanceDuration.histogram(2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400),
		// A certificate of ten minutes is renewed about three minutes before its end, one of 90 days a month.
		renewalDelay:         renewalDelay.histogram(2, 5, 10, 30, 60, 120, 300, 900, 3600, 21600, 86400, 604800),
		revocations:          revocations.counter(),
		events:               events.counter(),
		admissionDecisions:   admissionDecisions.counter(),
		authorizationReviews: authorizationReviews.counter(),
		denialEnforced:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: denialEnforced.Name, Help: denialEnforced.Help}, nil),
		buildInfo: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: buildInfo.Name, Help: buildInfo.Help, ConstLabels: prometheus.Labels{labelVersion: version},
		}),
	}
	p.buildInfo.Set(1)
	for _, signer := range signers {
		for _, cause := range []string{causeFirst, causeDue, causeExpired, causeRequested, causeRevoked, causeChanged, causeEnrolled, causeRenewed} {
			p.issuances.WithLabelValues(signer, resultPublished, cause)
		}
		for _, reason := range failures {
			p.issuances.WithLabelValues(signer, resultFailed, reason)
		}
		p.issuanceDuration.WithLabelValues(signer)
		p.renewalDelay.WithLabelValues(signer)
	}
	p.revocations.WithLabelValues(resultComplete, v1alpha1.ReasonRevoked)
	p.revocations.WithLabelValues(resultComplete, v1alpha1.ReasonDeniedByAPIServer)
	p.revocations.WithLabelValues(resultIncomplete, v1alpha1.ReasonBindingNotRevoked)
	p.revocations.WithLabelValues(resultIncomplete, v1alpha1.ReasonNotDenied)
	p.revocations.WithLabelValues(resultIncomplete, v1alpha1.ReasonOlderCertificatesValid)
	for _, decision := range decisions {
		p.admissionDecisions.WithLabelValues(decision)
	}
	p.prepareReviews()
	return p
}

func (p *Past) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		p.issuances, p.issuanceDuration, p.renewalDelay, p.revocations, p.events, p.admissionDecisions, p.authorizationReviews, p.denialEnforced, p.buildInfo,
	}
}

// Describe implements prometheus.Collector.
func (p *Past) Describe(descriptions chan<- *prometheus.Desc) {
	for _, collector := range p.collectors() {
		collector.Describe(descriptions)
	}
}

// Collect implements prometheus.Collector.
func (p *Past) Collect(metrics chan<- prometheus.Metric) {
	for _, collector := range p.collectors() {
		collector.Collect(metrics)
	}
}

// Written counts what a status tells that was written, in place of the one that the identity has. Reasons are the operator's own
// words, and few: in no status of somebody else's does a time change that tells of a failure.
func (p *Past) Written(identity *v1alpha1.ClientIdentity, after *v1alpha1.ClientIdentityStatus, now time.Time) {
	signer := p.signers.label(identity.Spec.SignerName)
	happened := changeOf(&identity.Status, after, now)
	for _, cause := range devicesIssued(&identity.Status, after) {
		p.issuances.WithLabelValues(signer, resultPublished, cause).Inc()
	}
	if identity.Spec.PrivateKey.Source == v1alpha1.SourceHolder {
		happened.published, happened.took, happened.late = "", nil, nil // devices renew when they are used
	}
	if happened.published != "" {
		p.issuances.WithLabelValues(signer, resultPublished, happened.published).Inc()
	}
	if happened.took != nil {
		p.issuanceDuration.WithLabelValues(signer).Observe(happened.took.Seconds())
	}
	if happened.late != nil {
		p.renewalDelay.WithLabelValues(signer).Observe(happened.late.Seconds())
	}
	if happened.failed != "" {
		p.issuances.WithLabelValues(signer, resultFailed, happened.failed).Inc()
	}
	if happened.revocation != "" {
		p.revocations.WithLabelValues(happened.revocation, happened.revocationReason).Inc()
	}
}

// Recorded counts an event.
func (p *Past) Recorded(event report.Event) { p.events.WithLabelValues(event.Type, event.Reason).Inc() }
